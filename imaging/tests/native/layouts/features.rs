//! File systems in the features that their mkfs has. Each is in a partition, with files; onto 0xFF all blocks must be there
//! that the file system's own checker and reader need.

use super::Layout;
use super::corpus::{Entry, all};

/// One partition with this file system; whether it is saved by its used blocks is said, so that none gets lost unseen. What becomes of a table
/// on a disk of another size, other tables try.
fn saved(kind: &'static str, size: u64, options: &str, by_used_blocks: bool) {
    let layout = Layout::new(size + 16).table(&format!("label: gpt\nsize={size}M\n"));
    layout.file_system(kind, (1, size), options).survives_at_its_size_with(usize::from(by_used_blocks));
}

/// `name: kind size options, whether used blocks are saved`.
macro_rules! features {
    ($($name:ident: $kind:literal $size:literal $options:literal $used:literal;)*) => {
        const LAYOUTS: &[Entry] = &[$((stringify!($name), || saved($kind, $size, $options, $used))),*];
    };
}

features! {
    ext2: "ext" 40 "-t ext2" true;
    ext2_with_blocks_of_1_kib: "ext" 40 "-t ext2 -b 1024" true;
    ext2_with_blocks_of_2_kib: "ext" 40 "-t ext2 -b 2048" true;
    // The option has another name since e2fsprogs 1.47.1.
    ext2_of_revision_0: "ext" 40 "-t ext2 $(mke2fs -V 2>&1 | grep -q ' 1[.]47[.]0' && printf %s '-r 0' || printf %s '-E revision=0')" true;
    ext2_without_sparse_superblocks: "ext" 40 "-t ext2 -O ^sparse_super,^resize_inode" true;
    ext3: "ext" 40 "-t ext3" true;
    ext3_without_resize_inode: "ext" 40 "-t ext3 -O ^resize_inode" true;
    ext4: "ext" 40 "-t ext4" true;
    ext4_with_blocks_of_1_kib: "ext" 40 "-t ext4 -b 1024" true;
    ext4_with_blocks_of_2_kib: "ext" 40 "-t ext4 -b 2048" true;
    ext4_with_blocks_of_4_kib: "ext" 40 "-t ext4 -b 4096" true;
    ext4_with_blocks_of_16_kib: "ext" 40 "-t ext4 -b 16384" true;
    ext4_with_blocks_of_64_kib: "ext" 40 "-t ext4 -b 65536" true;
    ext4_without_64bit: "ext" 40 "-t ext4 -O ^64bit" true;
    ext4_without_metadata_csum: "ext" 40 "-t ext4 -O ^metadata_csum" true;
    ext4_without_uninit_bg: "ext" 40 "-t ext4 -O ^metadata_csum,^uninit_bg" true;
    ext4_without_flex_bg: "ext" 40 "-t ext4 -O ^flex_bg" true;
    ext4_with_meta_bg: "ext" 40 "-t ext4 -O meta_bg,^resize_inode" true;
    ext4_with_sparse_super2: "ext" 40 "-t ext4 -O sparse_super2" true;
    ext4_with_sparse_super2_and_one_backup: "ext" 40 "-t ext4 -O sparse_super2 -E num_backup_sb=1" true;
    ext4_with_inline_data: "ext" 40 "-t ext4 -O inline_data -I 256" true;
    ext4_with_large_inodes: "ext" 40 "-t ext4 -I 1024" true;
    ext4_without_extents: "ext" 40 "-t ext4 -O ^extent,^64bit" true;
    ext4_without_journal: "ext" 40 "-t ext4 -O ^has_journal" true;
    ext4_with_project: "ext" 40 "-t ext4 -O project" true;
    ext4_with_encryption: "ext" 40 "-t ext4 -O encrypt" true;
    ext4_with_casefold: "ext" 40 "-t ext4 -O casefold" true;
    ext4_with_verity: "ext" 40 "-t ext4 -O verity" true;
    ext4_with_ea_inode: "ext" 40 "-t ext4 -O ea_inode" true;
    ext4_with_mmp: "ext" 40 "-t ext4 -O mmp" true;
    ext4_with_large_dir: "ext" 40 "-t ext4 -O large_dir" true;
    ext4_with_metadata_csum_seed: "ext" 40 "-t ext4 -O metadata_csum_seed" true;
    ext4_with_stable_inodes: "ext" 40 "-t ext4 -O stable_inodes" true;
    ext4_with_fast_commit: "ext" 40 "-t ext4 -O fast_commit" true;
    ext4_with_orphan_file: "ext" 40 "-t ext4 -O orphan_file" true;
    ext4_with_bigalloc: "ext" 100 "-t ext4 -O bigalloc -C 65536" false;
    ext4_with_small_groups: "ext" 100 "-t ext4 -b 1024 -g 1024" true;
    ext4_with_few_inodes: "ext" 40 "-t ext4 -N 64" true;
    ext4_packed: "ext" 100 "-t ext4 -E packed_meta_blocks=1" true;
    ext4_of_many_groups: "ext" 300 "-t ext4 -b 1024" true;
    fat12: "fat" 4 "-F 12" false;
    fat12_of_a_floppy_s_size: "fat" 8 "-F 12 -s 8" false;
    fat16: "fat" 40 "-F 16" true;
    fat16_with_small_clusters: "fat" 20 "-F 16 -s 1" true;
    fat16_with_large_clusters: "fat" 300 "-F 16 -s 64" true;
    fat16_with_one_table: "fat" 40 "-F 16 -f 1" true;
    fat16_with_a_large_root: "fat" 40 "-F 16 -r 2048" true;
    fat16_with_reserved_sectors: "fat" 40 "-F 16 -R 8" true;
    fat32: "fat" 100 "-F 32" true;
    fat32_with_small_clusters: "fat" 60 "-F 32 -s 1" true;
    fat32_with_large_clusters: "fat" 200 "-F 32 -s 4" true;
    fat32_with_one_table: "fat" 100 "-F 32 -f 1" true;
    fat32_with_a_copy_elsewhere: "fat" 100 "-F 32 -R 64 -b 20" true;
    fat32_unaligned: "fat" 100 "-F 32 -a" true;
    fat32_with_sectors_of_4096: "fat" 300 "-F 32 -S 4096 -s 1" true;
    ntfs: "ntfs" 40 "" true;
    ntfs_with_clusters_of_512: "ntfs" 40 "-c 512" true;
    ntfs_with_clusters_of_1_kib: "ntfs" 40 "-c 1024" true;
    ntfs_with_clusters_of_2_kib: "ntfs" 40 "-c 2048" true;
    ntfs_with_clusters_of_8_kib: "ntfs" 40 "-c 8192" true;
    ntfs_with_clusters_of_64_kib: "ntfs" 60 "-c 65536" true;
    ntfs_with_clusters_of_128_kib: "ntfs" 60 "-c 131072" true;
    ntfs_with_clusters_of_2_mib: "ntfs" 100 "-c 2097152" true;
    ntfs_with_compression: "ntfs" 40 "-C" true;
    ntfs_with_sectors_of_4096: "ntfs" 60 "-s 4096" true;
    ntfs_with_a_large_mft_zone: "ntfs" 40 "-z 4" true;
    exfat: "exfat" 20 "" true;
    exfat_with_clusters_of_512: "exfat" 20 "-c 512" true;
    exfat_with_clusters_of_1_mib: "exfat" 60 "-c 1M" true;
    exfat_with_clusters_of_8_mib: "exfat" 300 "-c 8M" true;
    exfat_aligned: "exfat" 60 "-b 8M" true;
    btrfs: "btrfs" 120 "" false;
    btrfs_with_single_metadata: "btrfs" 120 "-m single" true;
    btrfs_with_dup_data: "btrfs" 250 "-d dup" false;
    btrfs_mixed: "btrfs" 250 "-M -m dup -d dup" false;
    btrfs_mixed_and_single: "btrfs" 120 "-M -m single -d single" true;
    btrfs_with_nodes_of_4_kib: "btrfs" 120 "-n 4096 -m single" true;
    btrfs_with_nodes_of_64_kib: "btrfs" 120 "-n 65536 -m single" true;
    btrfs_without_holes: "btrfs" 120 "-O ^no-holes -m single" true;
    btrfs_without_skinny_metadata: "btrfs" 120 "-O ^skinny-metadata -m single" true;
    btrfs_without_free_space_tree: "btrfs" 120 "-R ^free-space-tree -m single" true;
    btrfs_with_quota: "btrfs" 120 "-R quota -m single" true;
    btrfs_with_xxhash: "btrfs" 120 "--csum xxhash -m single" true;
    btrfs_with_sha256: "btrfs" 120 "--csum sha256 -m single" true;
    btrfs_with_blake2: "btrfs" 120 "--csum blake2 -m single" true;
    xfs: "xfs" 320 "" true;
    xfs_of_version_4: "xfs" 320 "-m crc=0" true;
    xfs_with_blocks_of_1_kib: "xfs" 320 "-b size=1024" true;
    xfs_with_blocks_of_512: "xfs" 320 "-b size=512 -m crc=0" true;
    xfs_with_blocks_of_64_kib: "xfs" 600 "-b size=65536" true;
    xfs_with_sectors_of_4096: "xfs" 320 "-s size=4096" true;
    xfs_without_reflink: "xfs" 320 "-m reflink=0" true;
    xfs_with_rmapbt: "xfs" 320 "-m rmapbt=1" true;
    xfs_without_finobt: "xfs" 320 "-m finobt=0" true;
    xfs_with_bigtime: "xfs" 320 "-m bigtime=1,inobtcount=1" true;
    xfs_with_large_inodes: "xfs" 320 "-i size=2048" true;
    xfs_with_sparse_inodes: "xfs" 320 "-i sparse=0" true;
    xfs_with_large_directory_blocks: "xfs" 320 "-n size=65536" true;
    xfs_with_five_groups: "xfs" 400 "-d agcount=5" true;
    xfs_with_a_large_log: "xfs" 400 "-l size=80m" true;
    xfs_with_two_groups: "xfs" 320 "-d agcount=2" true;
    xfs_with_nrext64: "xfs" 320 "-i nrext64=1" true;
    f2fs: "f2fs" 100 "" true;
    f2fs_with_checksums_of_inodes: "f2fs" 100 "-O extra_attr,inode_checksum" true;
    f2fs_with_checksums_of_superblocks: "f2fs" 100 "-O sb_checksum" true;
    f2fs_with_two_segments_a_section: "f2fs" 100 "-s 2" true;
    f2fs_with_a_large_map_of_nodes: "f2fs" 100 "-i" false;
}

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
