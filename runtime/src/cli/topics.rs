//! `topics` and `topic cat`: what is in the log.

use std::process::ExitCode;

use headwater_core::{Error, ErrorKind, TopicPartition};
use headwater_log::Isolation;

use super::{args::CatArgs, failure::Failure, output::Output, place::Place, reading, record};

/// Prints every topic with its partitions and how many offsets it spans.
pub(super) fn list(place: &Place) -> Result<ExitCode, Failure> {
    let log = place.existing_log()?;
    let topics = log.topics()?;
    let width = topics.iter().map(|topic| topic.name.len()).max().unwrap_or_default().max("TOPIC".len());
    let mut out = Output::stdout();
    out.line(format_args!("{:width$}  {:>10}  {:>12}", "TOPIC", "PARTITIONS", "OFFSETS"))?;
    for topic in topics {
        let name = topic.name.as_str();
        let partitions: Vec<_> = (0..topic.partitions).map(|number| TopicPartition::new(name, number)).collect();
        let starts = log.start_offsets(&partitions)?;
        let ends = log.end_offsets(&partitions, Isolation::ReadCommitted)?;
        let offsets = ends.values().sum::<i64>() - starts.values().sum::<i64>();
        out.line(format_args!("{name:width$}  {:>10}  {offsets:>12}", topic.partitions))?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a topic's committed records, partition by partition.
pub(super) fn cat(args: &CatArgs) -> Result<ExitCode, Failure> {
    let log = args.place.existing_log()?;
    let partitions = reading::partitions_of(&*log, &args.topic)?;
    let mut out = Output::stdout();
    reading::read_to_end(&*log, &partitions, |partition, batch| {
        for record in batch {
            let record = record?;
            if args.json {
                out.line(record::json_line(partition, &record).map_err(|error| unprintable(partition, &error))?)?;
            } else {
                out.line(record::plain_line(partition, &record))?;
            }
        }
        Ok::<(), Failure>(())
    })?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn unprintable(partition: &TopicPartition, error: &serde_json::Error) -> Failure {
    Error::new(ErrorKind::Internal, "HW0711", format!("a record of {partition} could not be printed: {error}"))
        .help("please report this; without --json the record can be seen")
        .into()
}
