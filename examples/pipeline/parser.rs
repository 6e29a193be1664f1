//! The workers that look into what strangers wrote. Each has nothing to lose but the line in hand.

use crate::protocol::{Malformed, Parser, Record};

/// Makes sense of lines such as `user=[name=ann age=7] line=3*-`, which says `user.name` is `ann`, `user.age` is `7` and `line`
/// is `---`.
///
/// It is a parser as many are: right about every line that somebody thought of. Nobody thought of a thousand brackets, for which
/// its stack is too small, nor of `x=99999999999*A`, for which its memory is.
#[derive(Debug, Default)]
pub(crate) struct LineParser;

impl Parser for LineParser {
    async fn parse(&mut self, line: String) -> Result<Record, Malformed> {
        let mut cursor = Cursor { line: &line, at: 0 };
        let mut record = Record::default();
        fields(&mut cursor, "", &mut record)?;
        match cursor.peek() {
            None => Ok(record),
            Some(_) => Err(cursor.expected("a name")),
        }
    }
}

struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<char> {
        self.line[self.at..].chars().next()
    }

    /// Takes as many characters as satisfy `wanted`.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.line[self.at..];
        let end = rest.find(|found| !wanted(found)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn expected(&self, what: &str) -> Malformed {
        Malformed { at: u32::try_from(self.at).unwrap_or(u32::MAX), expected: what.to_owned() }
    }
}

/// Reads `name=value` after `name=value`, up to a bracket or the end.
fn fields(cursor: &mut Cursor<'_>, path: &str, record: &mut Record) -> Result<(), Malformed> {
    loop {
        cursor.take(char::is_whitespace);
        if matches!(cursor.peek(), None | Some(']')) {
            return Ok(());
        }
        let name = cursor.take(char::is_alphanumeric);
        if name.is_empty() || !cursor.skip('=') {
            return Err(cursor.expected("a name with a value"));
        }
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        value(cursor, path, record)?;
    }
}

fn value(cursor: &mut Cursor<'_>, path: String, record: &mut Record) -> Result<(), Malformed> {
    if cursor.skip('[') {
        fields(cursor, &path, record)?;
        return if cursor.skip(']') { Ok(()) } else { Err(cursor.expected("`]`")) };
    }
    let word = cursor.take(|found| !found.is_whitespace() && !"[]=*".contains(found));
    if !cursor.skip('*') {
        record.fields.push((path, word.to_owned()));
        return Ok(());
    }
    let times: usize = word.parse().map_err(|_| cursor.expected("a number before `*`"))?;
    let repeated = cursor.take(|found| !found.is_whitespace() && found != ']');
    record.fields.push((path, repeated.repeat(times)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(line: &str) -> Result<Record, Malformed> {
        LineParser.parse(line.to_owned()).await
    }

    #[tokio::test]
    async fn what_a_line_says_is_read() {
        let record = parse("user=[name=ann age=7] line=3*-").await.expect("it is in order");
        let fields = [("user.name", "ann"), ("user.age", "7"), ("line", "---")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(record.fields, fields);
        assert_eq!(parse("").await, Ok(Record::default()));
    }

    #[tokio::test]
    async fn what_is_no_line_is_said_with_its_place() {
        for (line, at) in [("=", 0), ("a", 1), ("a=[b=1", 6), ("a=1]", 3), ("a=x*y", 4)] {
            assert_eq!(parse(line).await.expect_err(line).at, at, "{line}");
        }
    }
}
