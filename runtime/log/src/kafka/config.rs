//! What the Kafka log is told, and what librdkafka is told in turn.

use std::{collections::BTreeMap, fmt, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::{ConsumerConfig, Isolation, OffsetReset, ProducerConfig};

/// Settings of the connection to Kafka.
#[derive(Clone)]
pub struct KafkaConfig {
    /// Client properties in librdkafka's names (`security.protocol`, `sasl.username` ...), for every client. They go
    /// over Headwater's own choices. Default: none.
    pub properties: BTreeMap<String, String>,
    /// How long the broker waits for a sign of life of a group member before it gives its partitions away.
    /// Default: 10 s.
    pub session_timeout: Duration,
    /// How long `connect` waits for a broker to answer. Default: 8 s.
    pub connect_timeout: Duration,
    /// How long requests about topics and offsets may take. Default: 30 s.
    pub request_timeout: Duration,
    /// How long `committed` waits while a transaction with offsets in it is open. Default: 60 s.
    pub pending_timeout: Duration,
    /// Replicas of topics that are created; -1 leaves it to the broker's default. Default: -1.
    pub replication: i32,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            properties: BTreeMap::new(),
            session_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(8),
            request_timeout: Duration::from_secs(30),
            pending_timeout: Duration::from_secs(60),
            replication: -1,
        }
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets; names are enough to see what was set.
        f.debug_struct("KafkaConfig")
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .field("session_timeout", &self.session_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("pending_timeout", &self.pending_timeout)
            .field("replication", &self.replication)
            .finish()
    }
}

/// Makes client configurations for one cluster.
#[derive(Clone)]
pub(super) struct Clients {
    brokers: String,
    config: KafkaConfig,
}

impl Clients {
    pub fn new(brokers: &str, config: KafkaConfig) -> Self {
        Self { brokers: brokers.to_owned(), config }
    }

    pub fn config(&self) -> &KafkaConfig {
        &self.config
    }

    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    fn base(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.brokers).set("client.id", "headwater");
        // Otherwise it is as quiet as the `log` crate, which knows nothing of `tracing`.
        let debug = self.config.properties.contains_key("debug");
        client.set_log_level(if debug { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        client
    }

    fn finish(&self, mut client: ClientConfig) -> ClientConfig {
        for (name, value) in &self.config.properties {
            client.set(name, value);
        }
        client
    }

    /// For requests about topics and offsets.
    pub fn admin(&self) -> ClientConfig {
        self.finish(self.base())
    }

    /// For reading offsets: of a group, or of partitions under an isolation level.
    pub fn offsets(&self, group: &str, isolation: Isolation) -> ClientConfig {
        let mut client = self.base();
        client.set("group.id", group).set("enable.auto.commit", "false").set("isolation.level", level(isolation));
        self.finish(client)
    }

    pub fn consumer(&self, config: &ConsumerConfig) -> ClientConfig {
        let mut client = self.base();
        // librdkafka wants a group even where partitions are assigned by hand; nothing is ever committed to this one.
        client
            .set("group.id", config.group.as_deref().unwrap_or("headwater-without-group"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false")
            .set("isolation.level", level(config.isolation))
            .set("check.crcs", "true")
            .set("auto.offset.reset", reset(config.reset))
            // Joined topics of one task must stay together; see docs/adr/0003-classic-groups.md.
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", millis(self.config.session_timeout))
            .set("heartbeat.interval.ms", millis(self.config.session_timeout / 6))
            // The default of one second stalls consumers with small queues.
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", (config.max_poll_bytes / 1024).max(1).to_string())
            .set("fetch.max.bytes", config.max_poll_bytes.clamp(1 << 20, 1 << 30).to_string());
        if let Some(instance) = &config.instance {
            client.set("group.instance.id", instance);
        }
        self.finish(client)
    }

    pub fn producer(&self, config: &ProducerConfig) -> ClientConfig {
        let mut client = self.base();
        client
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            // A commit waits for what lingers.
            .set("linger.ms", "0")
            .set("message.max.bytes", "100000000")
            .set("queue.buffering.max.kbytes", "262144");
        match &config.transactional_id {
            Some(id) => {
                client.set("transactional.id", id);
                client.set("transaction.timeout.ms", millis(config.transaction_timeout));
            }
            None => {
                client.set("message.timeout.ms", "120000");
            }
        }
        self.finish(client)
    }
}

fn level(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    }
}

fn reset(reset: OffsetReset) -> &'static str {
    match reset {
        OffsetReset::Earliest => "earliest",
        OffsetReset::Latest => "latest",
        OffsetReset::Fail => "error",
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let properties = BTreeMap::from([("sasl.password".to_owned(), "canary".to_owned())]);
        let shown = format!("{:?}", KafkaConfig { properties, ..KafkaConfig::default() });
        assert!(shown.contains("sasl.password") && !shown.contains("canary"), "{shown}");
    }
}
