/// The seconds of a length of time such as `1h30m`, in these units: each once, the larger before, as `units` has them. Nothing
/// where it is none.
pub fn length_of_time(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut seconds = 0_u64;
    let mut units = units.iter();
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let letter = unit.chars().next()?;
        let (_, size) = units.find(|(name, _)| *name == letter)?;
        let number: u64 = number.parse().ok()?;
        seconds = number.checked_mul(*size).and_then(|more| seconds.checked_add(more))?;
        rest = unit.strip_prefix(letter).unwrap_or_default();
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_stands_once_the_larger_before() {
        let read = |text: &str| length_of_time(text, &[('h', 3600), ('m', 60)]);
        assert_eq!([read("1h30m"), read("5m"), read("0m")], [Some(5400), Some(300), Some(0)]);
        for text in ["", "h", "5", "5s", "1m1h", "1h1h", " 1h", "1h ", "-1h", "1.5h", "99999999999999999999h"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
