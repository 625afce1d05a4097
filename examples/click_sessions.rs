//! Sessions of clicks: what a user does without a pause of more than half an hour is one visit.
//!
//! `./dev example click_sessions demo`, then `./dev example click_sessions topic cat visits`.

use std::process::ExitCode;

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// One visit: when it began and ended, and what was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Visit {
    start: Timestamp,
    end: Timestamp,
    pages: Vec<String>,
}

struct ClickSessions;

impl Program for ClickSessions {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("click-sessions");
        app.stream::<String, String>("clicks", Text)
            .group_by_key("by-user")
            .windowed_by(Session::with_gap(minutes(30)).grace(minutes(5)).emit_on_close())
            .aggregate(
                "visits",
                Vec::new,
                |_, page, pages| pages.push(page),
                |_, earlier, later| [earlier, later].concat(), // when a click joins two sessions
            )
            .updates()
            .map(|visit, pages| (visit.key, Visit { start: visit.start, end: visit.end, pages }))
            .to("visits", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        vec![Topic::new("clicks", 2), Topic::new("visits", 2)]
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let clicks = [("ann", 0, "/"), ("bob", 3, "/"), ("ann", 10, "/tea"), ("ann", 90, "/cart")];
        let clicks = clicks.map(|(user, minute, page)| (user.to_owned(), minutes(minute), page.to_owned()));
        feed.append("clicks", Text, Text, clicks)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    headwater::cli::main(ClickSessions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_between_two_sessions_makes_them_one_visit() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(ClickSessions.topology()?)?;
        let mut clicks = driver.input::<String, String>("clicks", Text);
        for (minute, page) in [(0, "/"), (32, "/cart"), (20, "/tea"), (100, "/")] {
            clicks.pipe(&mut driver, "ann".into(), page.into(), minutes(minute))?;
        }
        let visits = driver.output::<String, Visit>("visits", Json).read_values(&mut driver)?;
        let pages = ["/", "/cart", "/tea"].map(str::to_owned).into();
        assert_eq!(visits, [Visit { start: 0, end: minutes(32), pages }]);
        Ok(())
    }
}
