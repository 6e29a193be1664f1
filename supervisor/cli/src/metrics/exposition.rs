//! Prometheus' text format, read: metrics, each with its samples. What is none of it is left out, so that one line of somebody who
//! is not believed costs no more than itself.

use std::collections::BTreeMap;

use serde::Serialize;

/// One metric, with everything that was measured for it.
#[derive(Debug, Serialize)]
pub(crate) struct Family<'a> {
    pub(crate) name: &'a str,
    /// `counter`, `gauge`, `histogram`, or whatever is said; null if nothing is.
    r#type: Option<&'a str>,
    help: Option<&'a str>,
    pub(crate) samples: Vec<Sample<'a>>,
    /// What was read, as it stands.
    #[serde(skip)]
    pub(super) lines: Vec<&'a str>,
}

/// One value.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Sample<'a> {
    /// That of the metric; of a histogram with `_bucket`, `_sum` or `_count` behind it.
    pub(crate) name: &'a str,
    pub(crate) labels: BTreeMap<&'a str, String>,
    /// What is no number, as JSON knows them, is null there.
    pub(crate) value: f64,
}

/// Returns the metrics of a text, in its order.
pub(crate) fn read(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        if let Some((what, name, rest)) = comment(line) {
            let family = of(&mut families, name, |known| known == name);
            family.lines.push(line);
            if what == "TYPE" { family.r#type = Some(rest) } else { family.help = Some(rest) }
        } else if let Some(sample) = sample(line) {
            let is_its = |known: &str| is_sample_of(sample.name, known);
            let family = of(&mut families, sample.name, is_its);
            family.lines.push(line);
            family.samples.push(sample);
        }
    }
    families
}

/// Returns the last metric if its name is right, else a new one.
fn of<'f, 'a>(
    families: &'f mut Vec<Family<'a>>,
    name: &'a str,
    is_its: impl Fn(&str) -> bool,
) -> &'f mut Family<'a> {
    if !families.last().is_some_and(|last| is_its(last.name)) {
        families.push(Family { name, r#type: None, help: None, samples: Vec::new(), lines: Vec::new() });
    }
    families.last_mut().expect("one was just added if there was none")
}

fn is_sample_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count" | "_total"))
}

/// Reads `# HELP name text` or `# TYPE name text`.
fn comment(line: &str) -> Option<(&str, &str, &str)> {
    let (what, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, text) = rest.split_once(' ')?;
    (matches!(what, "HELP" | "TYPE") && is_name(name)).then_some((what, name, text))
}

/// Reads `name{label="value",…} number`, perhaps with a moment behind it.
fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        while !inner.starts_with('}') {
            let (label, value, after) = label(inner)?;
            labels.insert(label, value);
            inner = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &inner[1..];
    }
    // It reads `+Inf` and `NaN` as well.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    is_name(name).then_some(Sample { name, labels, value })
}

/// Reads `label="value"`; returns what follows as well.
fn label(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once("=\"")?;
    let mut value = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return is_name(name).then(|| (name, value, &rest[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !text.is_empty() && text.bytes().all(is_fine)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    #[test]
    fn samples_belong_to_the_metric_above_them() {
        let text = "\
# HELP a_seconds How long.
# TYPE a_seconds histogram
a_seconds_sum{w=\"x\"} 1.5
a_seconds_bucket{w=\"x\",le=\"0.1\"} 1
a_seconds_bucket{w=\"x\",le=\"+Inf\"} 2
b 7 1700000000
";
        let families = read(text);
        assert_eq!(families.iter().map(|family| family.name).collect::<Vec<_>>(), ["a_seconds", "b"]);
        assert_eq!((families[0].r#type, families[0].help), (Some("histogram"), Some("How long.")));
        let bucket = &families[0].samples[2];
        assert_eq!((bucket.name, &*bucket.labels["le"], bucket.value), ("a_seconds_bucket", "+Inf", 2.0));
        assert_eq!(families[1].samples, [Sample { name: "b", labels: BTreeMap::new(), value: 7.0 }]);
    }

    #[test]
    fn labels_are_read_as_they_were_meant() {
        let found = sample(r#"a{x="b\"c\\d\ne",y="{,}"} +Inf"#).expect("it is one");
        assert_eq!(found.labels["x"], "b\"c\\d\ne");
        assert_eq!((&*found.labels["y"], found.value), ("{,}", f64::INFINITY));
        for bad in
            ["", "a", "a x", "a{", "a{x} 1", "a{x=\"} 1", "a{x=\"y\"", "a{x=\"y\"}", "ä 1", "{} 1", "# EOF"]
        {
            assert_eq!(sample(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_served_is_read_without_harm(text in "([a-z#{}=\",\\\\ +0-9\n]|[^\u{0}]){0,200}") {
            read(&text);
        }
    }
}
