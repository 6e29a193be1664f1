//! Whom a name means, as people write it: a worker, or one instance of it.

use bailiwick_supervisor::control::{Row, Status, Target};

/// Returns whom a name means: a worker, or one instance of it.
pub fn target(found: &Status, name: &str) -> Option<Target> {
    if found.workers.iter().any(|row| row.name == name) {
        return Some(Target::Worker(name.to_owned()));
    }
    let (worker, instance) = name.rsplit_once('.')?;
    let instance = instance.parse().ok()?;
    let known = found.workers.iter().any(|row| row.name == worker && row.instance == instance);
    known.then(|| Target::Instance(worker.to_owned(), instance))
}

/// Returns whether a target is or has this instance.
pub fn is_meant(row: &Row, target: &Target) -> bool {
    match target {
        Target::System => true,
        Target::Worker(name) => row.name == *name,
        Target::Instance(name, instance) => row.name == *name && row.instance == *instance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn a_name_means_a_worker_or_one_instance() {
        let found = sample();
        assert_eq!(target(&found, "web"), Some(Target::Worker("web".into())));
        assert_eq!(target(&found, "web.2"), Some(Target::Instance("web".into(), 2)));
        for nobody in ["", "wb", "web.3", "web.", ".1", "web.x", "web.70000"] {
            assert_eq!(target(&found, nobody), None, "{nobody}");
        }
        assert!(is_meant(&found.workers[2], &Target::Instance("web".into(), 2)));
        assert!(!is_meant(&found.workers[1], &Target::Instance("web".into(), 2)));
    }
}
