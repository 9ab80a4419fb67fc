use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

/// Hears what a server does.
pub trait Log: Send + Sync {
    /// A request was answered, and the answer has been sent or broken off.
    fn access(&self, access: &Access);

    /// Something went wrong that is not the client's doing.
    fn problem(&self, message: &str);
}

/// A request that was answered. It is shown as a line of the combined log format, with the seconds that it took at its end.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who asked.
    pub peer: IpAddr,
    /// As whom.
    pub user: Option<String>,
    /// When.
    pub at: SystemTime,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// How it was answered.
    pub status: u16,
    /// The bytes of the body that were sent.
    pub sent: u64,
    /// What the client calls itself.
    pub agent: String,
    /// From the request's head to the end of the answer.
    pub took: Duration,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::try_from(self.at).unwrap_or_default().strftime("%d/%b/%Y:%H:%M:%S +0000");
        let Self { peer, method, status, sent, .. } = self;
        let (user, target, agent) =
            (Quoted(self.user.as_deref().unwrap_or("-")), Quoted(&self.target), Quoted(&self.agent));
        let took = self.took.as_secs_f64();
        write!(f, r#"{peer} - {user} [{at}] "{method} {target} HTTP/1.1" {status} {sent} "" "{agent}" {took:.3}"#)
    }
}

/// Text of a stranger that cannot end its field or its line.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                letter if letter.is_control() => write!(f, "{}", letter.escape_default())?,
                letter => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_the_client_says() {
        let access = Access {
            peer: [127, 0, 0, 1].into(),
            user: Some("jane\n".to_owned()),
            at: SystemTime::UNIX_EPOCH,
            method: "GET".to_owned(),
            target: "/v2/\"x".to_owned(),
            status: 404,
            sent: 12,
            agent: "a\\b".to_owned(),
            took: Duration::from_millis(1500),
        };
        assert_eq!(
            access.to_string(),
            r#"127.0.0.1 - jane\n [01/Jan/1970:00:00:00 +0000] "GET /v2/\"x HTTP/1.1" 404 12 "" "a\\b" 1.500"#
        );
    }
}
