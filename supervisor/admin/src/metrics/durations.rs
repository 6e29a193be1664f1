//! A histogram that others counted, and that is only shown here.

use std::sync::{Mutex, PoisonError};

use bailiwick::introspect::Durations;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// What was counted. Workers count by powers of two; here each second one is a bucket, since buckets cost whoever keeps them.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    sum: f64,
    buckets: [u64; BUCKETS],
}

impl Shown {
    /// Adds what one worker counted.
    pub(super) fn add(&self, found: &Durations) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.sum += found.sum.as_secs_f64();
        for (place, count) in found.counts.iter().enumerate() {
            let bucket = &mut counted.buckets[place.div_ceil(2).min(BUCKETS - 1)];
            *bucket = bucket.saturating_add(*count);
        }
    }
}

impl EncodeMetric for Shown {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = |bucket: usize| match bucket {
            LAST => f64::INFINITY,
            _ => Durations::bound(bucket * 2).as_secs_f64(),
        };
        let buckets: Vec<_> =
            counted.buckets.iter().enumerate().map(|(bucket, count)| (bound(bucket), *count)).collect();
        let count = counted.buckets.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(counted.sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Shown {
    const TYPE: MetricType = MetricType::Histogram;
}

/// From a microsecond to 17 seconds, and what takes longer.
const BUCKETS: usize = Durations::PLACES / 2 + 1;
const LAST: usize = BUCKETS - 1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn two_powers_make_a_bucket_and_what_several_counted_is_added() {
        let shown = Shown::default();
        let mut counts = vec![0; Durations::PLACES];
        // Up to a microsecond, up to two, up to four, and what takes longest.
        (counts[0], counts[1], counts[2], counts[Durations::PLACES - 1]) = (1, 10, 100, 1000);
        let found = Durations { counts, sum: Duration::from_millis(1500) };
        shown.add(&found);
        shown.add(&found);
        let mut registry = Registry::default();
        registry.register("waits", "How long", shown);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a String takes all there is");
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("waits")).collect();
        assert_eq!(lines[..2], ["waits_sum 3.0", "waits_count 2222"]);
        assert_eq!(lines[2], r#"waits_bucket{le="0.000001"} 2"#);
        assert_eq!(lines[3], r#"waits_bucket{le="0.000004"} 222"#);
        assert_eq!(lines[lines.len() - 2], r#"waits_bucket{le="16.777216"} 222"#);
        assert_eq!(lines[lines.len() - 1], r#"waits_bucket{le="+Inf"} 2222"#);
        assert_eq!(lines.len(), 2 + BUCKETS);
    }
}
