//! The screenshots of a job that failed, as its report shows them: some of them small and in order, and the last one whole. Pure.

/// So many small pictures of a host, the last of which is the last one.
pub(crate) const FRAMES: usize = 8;
/// How wide and high a small one is at most.
pub(crate) const SMALL: u32 = 320;
/// Bytes of all pictures of a page; where there are more, hosts that come later have their last one only.
pub(crate) const MOST_BYTES: usize = 12 << 20;

/// What the client showed at one moment, drawn anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What the screenshot is called, such as `0001-interval`.
    pub name: String,
    pub png: Vec<u8>,
}

/// What is shown of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Film {
    /// The last screenshot, or why it cannot be shown.
    pub last: Result<Frame, String>,
    /// What led to it, the oldest first; empty if there is nothing, or no room on the page.
    pub before: Vec<Frame>,
    /// How many screenshots the job has taken in all.
    pub taken: usize,
}

impl Film {
    /// How many bytes all of its pictures have together.
    pub(crate) fn bytes(&self) -> usize {
        let last = self.last.as_ref().map_or(0, |frame| frame.png.len());
        self.before.iter().fold(last, |sum, frame| sum + frame.png.len())
    }
}

/// Of so many pictures, the places of at most `most`: the first and the last, and others as far apart as can be.
pub(crate) fn spread(count: usize, most: usize) -> Vec<usize> {
    let (Some(last), Some(steps)) = (count.checked_sub(1), most.checked_sub(1).filter(|steps| *steps > 0))
    else {
        return (0..count.min(most)).collect();
    };
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|number| number * last / steps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_are_among_those_that_are_shown_and_none_twice() {
        for (count, most, expected) in [
            (0, 8, &[][..]),
            (1, 8, &[0]),
            (3, 8, &[0, 1, 2]),
            (8, 8, &[0, 1, 2, 3, 4, 5, 6, 7]),
            (9, 8, &[0, 1, 2, 3, 4, 5, 6, 8]),
            (601, 4, &[0, 200, 400, 600]),
            (5, 1, &[0]),
            (5, 0, &[]),
        ] {
            assert_eq!(spread(count, most), expected, "{count} {most}");
        }
    }

    #[test]
    fn a_film_takes_what_its_pictures_take() {
        let frame = |size: usize| Frame { name: "0001-interval".to_owned(), png: vec![0; size] };
        let film = Film { last: Ok(frame(5)), before: vec![frame(1), frame(2)], taken: 9 };
        assert_eq!(film.bytes(), 8);
        assert_eq!(Film { last: Err("gone".to_owned()), ..film }.bytes(), 3);
    }
}
