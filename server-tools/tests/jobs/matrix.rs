//! Whatever stands in the way of a backup, is the DHCP configuration as it was afterwards, and does the real server serve it so?
//!
//! ```text
//! plan (a whole job with this DHCP server, counted) ─▶ cases, each on a boot server of its own ─▶ the job ─▶ recover, if something was left ─▶ verdict
//! ```
//! `make faults` tries all of them with each DHCP server and prints a table; a few are part of every test run.

mod case;
mod plan;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use case::{Case, Fault};
use plan::Plan;

use super::each_server::{EACH, Start};
use verdict::Verdict;

/// Chooses the places of the faults; the same one chooses the same.
const SEED: u64 = 0x6768_6f73_7434;
/// How many boot servers at once; their jobs mostly wait.
const AT_ONCE: usize = 24;
/// How many cases of each kind a test run tries with ISC dhcpd.
const SAMPLE: usize = 4;

/// Tries all cases; how each ended.
fn tried(cases: Vec<Case>) -> Vec<(Case, Verdict)> {
    let (count, left) = (cases.len(), Mutex::new(cases));
    let tried = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            scope.spawn(|| {
                while let Some(case) = { left.lock().unwrap().pop() } {
                    let verdict = case.run();
                    for wrong in &verdict.wrong {
                        eprintln!("BROKEN {case}: {wrong}");
                    }
                    tried.lock().unwrap().push((case, verdict));
                }
            });
        }
    });
    tried.into_inner().unwrap()
}

/// How many cases there were of each kind, and how they ended.
fn print_table(tried: &[(Case, Verdict)]) {
    let mut rows: BTreeMap<String, [usize; 5]> = BTreeMap::new();
    for (case, verdict) in tried {
        for kind in [case.kind(), format!("~ all of {}", case.dhcp.0)] {
            let row = rows.entry(kind).or_default();
            row[0] += 1;
            row[1] += usize::from(verdict.succeeded);
            row[2] += usize::from(verdict.died);
            row[3] += usize::from(verdict.recovered);
            row[4] += usize::from(!verdict.wrong.is_empty());
        }
    }
    println!(
        "{:<34} {:>6} {:>9} {:>6} {:>10} {:>7}",
        "fault", "cases", "succeeded", "died", "recovered", "broken"
    );
    for (kind, [cases, succeeded, died, recovered, broken]) in rows {
        println!("{kind:<34} {cases:>6} {succeeded:>9} {died:>6} {recovered:>10} {broken:>7}");
    }
}

/// The cases whose names contain this. None at all is a slip of the pen, and not a campaign in which all is well.
fn chosen(cases: Vec<Case>, only: &str) -> Result<Vec<Case>, String> {
    let kinds: BTreeSet<String> = cases.iter().map(Case::kind).collect();
    let chosen: Vec<Case> = cases.into_iter().filter(|case| case.to_string().contains(only)).collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let kinds: Vec<String> = kinds.into_iter().collect();
    Err(format!("FAULTS_ONLY={only} is in the name of no fault; there are {}", kinds.join(", ")))
}

/// The DHCP servers that are tried.
fn servers() -> Vec<Start> {
    let wanted = std::env::var("FAULTS_DHCP").unwrap_or_default();
    let servers: Vec<Start> = EACH.into_iter().filter(|(name, _)| name.contains(&wanted)).collect();
    assert!(!servers.is_empty(), "FAULTS_DHCP={wanted} is none of the DHCP servers");
    servers
}

#[test]
fn a_word_that_is_in_no_faults_name_is_refused_with_those_that_there_are() {
    let fails = |call: &str| {
        let (call, paths) = (call.to_owned(), Arc::default());
        Case { dhcp: EACH[0], fault: Fault::Fails { call, error: "EIO", at: 1, paths } }
    };
    let all = || vec![fails("fsync"), fails("renameat2")];
    assert_eq!(chosen(all(), "rename").unwrap().len(), 1);
    assert_eq!(chosen(all(), "").unwrap().len(), 2);
    let refused = chosen(all(), "renmae").unwrap_err();
    assert_eq!(
        refused,
        "FAULTS_ONLY=renmae is in the name of no fault; there are isc fsync EIO, isc renameat2 EIO"
    );
}

#[test]
fn no_fault_leaves_a_swap_behind() {
    let started = Instant::now();
    let is_campaign = std::env::var("FAULTS").is_ok_and(|wanted| wanted == "all");
    let seed = std::env::var("FAULTS_SEED").ok().map_or(SEED, |seed| seed.parse().unwrap());
    let of_server = move |dhcp: Start| {
        let plan = Plan::new(dhcp, seed);
        // What is done without a DHCP server is the same for all of them.
        let few = if dhcp.0 == EACH[0].0 { SAMPLE } else { 1 };
        if is_campaign { plan.all() } else { plan.sample(few) }
    };
    // Each plan waits for two jobs.
    let cases: Vec<Case> = std::thread::scope(|scope| {
        let start = |dhcp| scope.spawn(move || of_server(dhcp));
        let plans: Vec<_> = servers().into_iter().map(start).collect();
        plans.into_iter().flat_map(|plan| plan.join().unwrap()).collect()
    });
    let only = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let cases = chosen(cases, &only).unwrap();
    println!("seed {seed}, {} cases", cases.len());
    let tried = tried(cases);
    print_table(&tried);
    println!("{} s", started.elapsed().as_secs());
    let wrong = |(case, verdict): &(Case, Verdict)| {
        (!verdict.wrong.is_empty()).then(|| format!("{case}: {}\n{}", verdict.wrong.join("; "), verdict.said))
    };
    let wrong: Vec<String> = tried.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), tried.len(), wrong.join("\n"));
}
