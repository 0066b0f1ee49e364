//! By how much numbers may differ and still count as equal.

/// Numbers are equal within it if they differ by no more than one of both.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerance {
    /// A share of the larger number.
    pub share: f64,
    /// A number, in the unit of the values.
    pub amount: f64,
}

impl Tolerance {
    /// A share such as `1e-9` or `1%`.
    ///
    /// # Errors
    /// What a share is.
    pub fn parse_share(text: &str) -> Result<f64, String> {
        let (number, per) = match text.trim().strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        let share = number.trim().parse::<f64>().ok().map(|number| number / per);
        share
            .filter(|share| (0.0..1.0).contains(share))
            .ok_or_else(|| "not a share such as `1e-9` or `1%`: from 0 to below 100%".to_owned())
    }

    /// A number such as `0.01`.
    ///
    /// # Errors
    /// What an amount is.
    pub fn parse_amount(text: &str) -> Result<f64, String> {
        let amount = text.trim().parse::<f64>().ok();
        amount
            .filter(|amount| amount.is_finite() && *amount >= 0.0)
            .ok_or_else(|| "not a number such as `0.01`: from 0".to_owned())
    }

    /// Whether numbers that differ by so much, and by that share of the larger one, are equal within it.
    pub(super) fn allows(self, amount: f64, share: f64) -> bool {
        amount <= self.amount || share <= self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_amounts_are_read_or_explained() {
        assert_eq!(Tolerance::parse_share("1e-9"), Ok(1e-9));
        assert_eq!(Tolerance::parse_share("1%"), Ok(0.01));
        for text in ["", "x", "-1%", "100%", "2", "nan"] {
            assert!(Tolerance::parse_share(text).unwrap_err().contains("`1e-9` or `1%`"), "{text}");
        }
        assert_eq!(Tolerance::parse_amount("2.5"), Ok(2.5));
        for text in ["", "x", "-1", "1%", "nan", "inf"] {
            assert!(Tolerance::parse_amount(text).unwrap_err().contains("`0.01`"), "{text}");
        }
    }
}
