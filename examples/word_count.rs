//! Word count: lines of text in, how often each word has come so far out. The book's "First program" explains it.
//!
//! `./dev example word_count demo`, then `./dev example word_count topic cat word-counts`.

use std::process::ExitCode;

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};

struct WordCount;

impl Program for WordCount {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("word-count");
        app.stream::<String, String>("lines", Text)
            .flat_map_values(|line| words(&line))
            .group_by(|_, word| word.clone(), "by-word")
            .count("counts")
            .updates()
            .to("word-counts", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        vec![Topic::new("lines", 2), Topic::new("word-counts", 2)]
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let lines = ["To be, or not to be,", "that is the question."];
        let lines = lines.iter().zip(0..).map(|(line, number)| (number.to_string(), number, (*line).to_owned()));
        feed.append("lines", Text, Text, lines)?;
        Ok(())
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn main() -> ExitCode {
    headwater::cli::main(WordCount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_whatever_their_case_and_the_marks_around_them() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(WordCount.topology()?)?;
        let mut lines = driver.input::<String, String>("lines", Text);
        lines.pipe(&mut driver, "1".into(), "To be, or not to be,".into(), 0)?;
        lines.pipe(&mut driver, "2".into(), "that is the question.".into(), 1)?;

        let counts = driver.store::<String, i64>("counts")?;
        let of = |word: &str| counts.get(&word.to_owned());
        assert_eq!([of("to")?, of("be")?, of("question")?, of("To")?], [Some(2), Some(2), Some(1), None]);
        let out = driver.output::<String, i64>("word-counts", Json).read_key_values(&mut driver)?;
        assert_eq!(out.len(), 10); // one change for each word that came, as the driver commits after each record
        assert_eq!(out.last(), Some(&("question".to_owned(), 1)));
        Ok(())
    }
}
