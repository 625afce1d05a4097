//! Page views by region: a stream of views joined with a table of users, then counted by region and minute.
//!
//! `./dev example page_views demo`, then `./dev example page_views topic cat views-by-region`.

use std::process::ExitCode;

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// A row of the result, one per region and minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Views {
    minute: Timestamp,
    views: i64,
}

struct PageViews;

impl Program for PageViews {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("page-views");
        // Keyed by user, both: the page viewed, and the region that the user lives in now.
        let regions = app.table::<String, String>("user-regions", Text, "region-of-user");
        app.stream::<String, String>("page-views", Text)
            .left_join_table(&regions, |_page, region| region.unwrap_or_else(|| "unknown".into()), "with-region")
            .group_by(|_user, region| region.clone(), "by-region")
            .windowed_by(Tumbling::of(minutes(1)).grace(seconds(10)).emit_on_close())
            .count("views-per-minute")
            .updates()
            .map(|window, views| (window.key, Views { minute: window.start, views }))
            .to("views-by-region", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        ["user-regions", "page-views", "views-by-region"].map(|name| Topic::new(name, 2)).into()
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let record = |key: &str, time, value: &str| (key.to_owned(), time, value.to_owned());
        let users = [record("ann", 0, "europe"), record("bob", 0, "asia")];
        feed.append("user-regions", Text, Text, users)?;
        let views = [
            record("ann", seconds(1), "/"),
            record("bob", seconds(2), "/"),
            record("ann", seconds(3), "/tea"),
            record("eve", seconds(61), "/tea"),
        ];
        feed.append("page-views", Text, Text, views)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    headwater::cli::main(PageViews)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_counts_for_the_region_its_user_lives_in_when_it_comes() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(PageViews.topology()?)?;
        let mut regions = driver.input::<String, String>("user-regions", Text);
        let mut views = driver.input::<String, String>("page-views", Text);
        regions.pipe(&mut driver, "ann".into(), "europe".into(), 0)?;
        views.pipe(&mut driver, "ann".into(), "/".into(), seconds(1))?;
        regions.pipe(&mut driver, "ann".into(), "asia".into(), seconds(2))?;
        views.pipe(&mut driver, "ann".into(), "/tea".into(), seconds(3))?;
        views.pipe(&mut driver, "eve".into(), "/tea".into(), seconds(4))?;
        driver.end_of_input()?; // closes the window

        let mut out = driver.output::<String, Views>("views-by-region", Json).read_key_values(&mut driver)?;
        out.sort_by(|a, b| a.0.cmp(&b.0));
        let one = Views { minute: 0, views: 1 };
        let expected = ["asia", "europe", "unknown"].map(|region| (region.to_owned(), one.clone()));
        assert_eq!(out, expected);
        Ok(())
    }
}
