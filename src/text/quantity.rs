use std::time::Duration;

/// `1 step`, `2 steps`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `0.12 s`, `1.2 s`, `2 m 05 s`, `1 h 02 m`.
pub fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (hundredths, tenths) = ((millis + 5) / 10, (millis + 50) / 100);
    if hundredths < 100 {
        format!("0.{hundredths:02} s")
    } else if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        seconds(duration)
    }
}

/// The same in whole seconds, for what changes under the eye: `0 s`, `12 s`, `2 m 05 s`, `1 h 02 m`.
pub fn seconds(duration: Duration) -> String {
    let seconds = (duration.as_millis() + 500) / 1000;
    if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3600 {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60)
    }
}

/// `512 B`, `1.0 KiB`, `12.3 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths < 10240 {
            break;
        }
        tenths /= 1024;
        unit = larger;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|number| count(number, "step")), ["0 steps", "1 step", "2 steps"]);
    }

    #[test]
    fn durations_have_two_figures_or_so() {
        let millis = [0, 4, 5, 124, 994, 995, 1249, 59_949, 59_950, 60_000, 125_000, 3_599_499, 3_599_500, 3_720_000];
        assert_eq!(
            millis.map(|millis| duration(Duration::from_millis(millis))),
            [
                "0.00 s",
                "0.00 s",
                "0.01 s",
                "0.12 s",
                "0.99 s",
                "1.0 s",
                "1.2 s",
                "59.9 s",
                "1 m 00 s",
                "1 m 00 s",
                "2 m 05 s",
                "59 m 59 s",
                "1 h 00 m",
                "1 h 02 m"
            ]
        );
        assert_eq!([400, 12_500].map(|millis| seconds(Duration::from_millis(millis))), ["0 s", "13 s"]);
        assert!(duration(Duration::MAX).ends_with(" m"));
    }

    #[test]
    fn bytes_are_counted_in_powers_of_1024() {
        assert_eq!(
            [0, 1023, 1024, 1_048_575, 1_048_576, 12_897_485, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1023.9 KiB", "1.0 MiB", "12.3 MiB", "15.9 EiB"]
        );
    }
}
