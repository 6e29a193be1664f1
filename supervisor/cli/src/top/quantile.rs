//! Histograms as Prometheus tells them, and what share of what was measured is below what.

/// How often something took at most so long: pairs of a bound in seconds and a count, each of which counts those below it as well.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// Adds a count to those up to a bound.
    pub(super) fn add(&mut self, bound: f64, count: f64) {
        if bound.is_nan() || !(count >= 0.0 && count.is_finite()) {
            return;
        }
        match self.0.binary_search_by(|(known, _)| known.total_cmp(&bound)) {
            Ok(at) => self.0[at].1 += count,
            Err(at) => self.0.insert(at, (bound, count)),
        }
    }

    /// Returns what came since an earlier look; everything, if there was none or counting began anew.
    pub(super) fn since(&self, before: Option<&Self>) -> Self {
        let same = |before: &&Self| before.0.len() == self.0.len();
        let Some(before) = before.filter(same) else { return self.clone() };
        let grown = self.0.iter().zip(&before.0).map(|(is, was)| (is.0, is.1 - was.1));
        let grown: Vec<_> = grown.collect();
        let is_fine = self.0.iter().zip(&before.0).all(|(is, was)| is.0 == was.0 && is.1 >= was.1);
        if is_fine { Self(grown) } else { self.clone() }
    }

    /// Returns a value that the share `wanted` of what was measured does not exceed, put between the bounds around it in proportion,
    /// as Prometheus does. Nothing where nothing was measured. What is beyond the last bound is said to be that bound.
    pub(super) fn quantile(&self, wanted: f64) -> Option<f64> {
        let all = self.0.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let rank = wanted * all;
        let at = self.0.iter().position(|(_, count)| *count >= rank)?;
        let (bound, count) = self.0[at];
        let (from, below) = at.checked_sub(1).map_or((0.0, 0.0), |before| self.0[before]);
        match bound.is_finite() && count > below {
            true => Some(from + (bound - from) * ((rank - below) / (count - below)).clamp(0.0, 1.0)),
            false => Some(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(counts: [f64; 3]) -> Buckets {
        let mut all = Buckets::default();
        for (bound, count) in [f64::INFINITY, 0.001, 0.01].into_iter().zip([counts[2], counts[0], counts[1]])
        {
            all.add(bound, count);
        }
        all
    }

    #[test]
    fn a_quantile_lies_between_the_bounds_around_it() {
        let near = |found: Option<f64>, expected: f64| {
            assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?}");
        };
        near(buckets([50.0, 100.0, 100.0]).quantile(0.5), 0.001);
        near(buckets([50.0, 100.0, 100.0]).quantile(0.75), 0.0055);
        near(buckets([100.0, 100.0, 100.0]).quantile(0.99), 0.00099);
        near(buckets([0.0, 0.0, 100.0]).quantile(0.99), 0.01);
        assert_eq!(buckets([0.0; 3]).quantile(0.99), None);
        assert_eq!(Buckets::default().quantile(0.99), None);
    }

    #[test]
    fn what_came_since_a_look_is_what_counts_unless_counting_began_anew() {
        let (before, now) = (buckets([50.0, 100.0, 100.0]), buckets([50.0, 110.0, 110.0]));
        assert_eq!(now.since(Some(&before)), buckets([0.0, 10.0, 10.0]));
        assert_eq!(before.since(Some(&now)), before);
        assert_eq!(now.since(Some(&Buckets::default())), now);
    }

    #[test]
    fn what_is_no_count_is_left_out_and_counts_of_one_bound_are_added() {
        let mut all = Buckets::default();
        for (bound, count) in [(f64::NAN, 1.0), (1.0, f64::NAN), (1.0, -1.0), (1.0, f64::INFINITY)] {
            all.add(bound, count);
        }
        assert_eq!(all, Buckets::default());
        all.add(1.0, 2.0);
        all.add(1.0, 3.0);
        assert_eq!(all, Buckets(vec![(1.0, 5.0)]));
    }
}
