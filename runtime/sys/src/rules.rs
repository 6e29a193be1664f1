//! Texts that say one thing a line and explain themselves in comments: policies as data.

/// Returns the lines of a text that are neither empty nor comments.
pub fn rules_of(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}
