//! The guest's boot arguments: words of the form `key=value`, separated by blanks.

#[cfg(test)]
mod tests;

/// Boot arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Args<'a>(pub &'a str);

impl<'a> Args<'a> {
    /// The value of `key`, the last one if there are several.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.0
            .split_ascii_whitespace()
            .filter_map(|word| word.split_once('='))
            .filter(|&(name, _)| name == key)
            .map(|(_, value)| value)
            .next_back()
    }

    /// The value of `key` as a decimal or `0x` hexadecimal number; `default` if there is none.
    ///
    /// # Panics
    /// If the value is not a number: a guest must not run with other settings than it was given.
    pub fn number(self, key: &str, default: u64) -> u64 {
        let Some(text) = self.get(key) else {
            return default;
        };
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        assert!(number.is_ok(), "argument {key}={text} is not a number");
        number.unwrap_or(default)
    }
}
