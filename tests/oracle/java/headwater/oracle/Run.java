package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.test.TestRecord;

/** Runs one case on Kafka's own test driver. */
final class Run implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();
    private final ObjectNode answer = JSON.createObjectNode();
    private final ArrayNode out = answer.putArray("out");
    private final TopologyTestDriver driver;
    private final Build build;

    private Run(JsonNode spec, Path state) {
        build = new Build(spec);
        driver = new TopologyTestDriver(build.builder.build(config(spec, state)), config(spec, state), Instant.EPOCH);
    }

    static ObjectNode run(JsonNode spec, Path state) {
        // What fails first is the answer, not what then fails because of it when the driver closes.
        try (Run run = new Run(spec, state)) {
            run.steps(spec.get("steps"));
            run.stores();
            run.answer.put("dropped", run.dropped());
            run.internalTopics();
            return run.answer;
        }
    }

    @Override
    public void close() {
        driver.close();
    }

    static Properties config(JsonNode spec, Path state) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "case");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:1");
        config.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 100L << 20);
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Build.TEXT.getClass());
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Build.TEXT.getClass());
        // Sessions of one end come by start from RocksDB, which is Java's default, and by key from memory.
        boolean sessions = false;
        for (JsonNode node : spec.get("nodes")) {
            sessions |= node.path("on_close").asBoolean() && node.path("windows").path("kind").asText().equals("session");
        }
        if (!spec.path("rocksdb").asBoolean() && !sessions) {
            config.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
                BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        }
        return config;
    }

    private void steps(JsonNode steps) {
        Map<String, TestInputTopic<String, String>> inputs = new HashMap<>();
        int at = 0;
        for (JsonNode step : steps) {
            if (step.has("advance")) {
                driver.advanceWallClockTime(Duration.ofMillis(step.get("advance").asLong()));
            } else {
                RecordHeaders headers = new RecordHeaders();
                for (JsonNode header : step.path("headers")) {
                    headers.add(header.get(0).asText(), header.get(1).asText().getBytes(StandardCharsets.UTF_8));
                }
                TestRecord<String, String> record = new TestRecord<>(step.get("key").textValue(),
                    step.get("value").textValue(), headers, step.get("ts").asLong() + Build.BASE);
                inputs.computeIfAbsent(step.get("topic").asText(), topic ->
                    driver.createInputTopic(topic, new StringSerializer(), new StringSerializer())).pipeInput(record);
            }
            read(at++);
        }
    }

    /** Notes what the step has brought to the output topics. */
    private void read(int at) {
        for (String topic : new TreeSet<>(driver.producedTopicNames())) {
            if (!topic.startsWith("out-")) {
                continue;
            }
            var output = driver.createOutputTopic(topic, new StringDeserializer(), new StringDeserializer());
            for (TestRecord<String, String> record : output.readRecordsToList()) {
                ObjectNode shown = out.addObject();
                shown.put("at", at).put("topic", topic).put("key", record.key()).put("value", record.value());
                shown.put("ts", record.timestamp());
                ArrayNode headers = shown.putArray("headers");
                for (Header header : record.headers()) {
                    headers.addArray().add(header.key()).add(header.value() == null ? null
                        : new String(header.value(), StandardCharsets.UTF_8));
                }
            }
        }
    }

    private void stores() {
        ObjectNode stores = answer.putObject("stores");
        build.stores.forEach((name, kind) -> {
            ArrayNode rows = stores.putArray(name);
            switch (kind) {
                case "rows": rows(rows, driver.<String, Object>getTimestampedKeyValueStore(name).all()); break;
                case "plain": rows(rows, driver.<String, Object>getKeyValueStore(name).all()); break;
                case "windows": rows(rows, driver.<String, Object>getTimestampedWindowStore(name).all()); break;
                default: rows(rows, driver.<String, Object>getSessionStore(name).fetch(null, null));
            }
        });
    }

    private static <K, V> void rows(ArrayNode rows, KeyValueIterator<K, V> all) {
        try (all) {
            while (all.hasNext()) {
                KeyValue<K, V> row = all.next();
                ArrayNode shown = rows.addArray();
                shown.add(row.key instanceof Windowed ? Functions.window(row.key) : (String) row.key);
                if (row.value instanceof ValueAndTimestamp) {
                    shown.add(String.valueOf(((ValueAndTimestamp<?>) row.value).value()));
                    shown.add(((ValueAndTimestamp<?>) row.value).timestamp());
                } else {
                    shown.add(String.valueOf(row.value)).addNull();
                }
            }
        }
    }

    /** The internal topics that were written to. */
    private void internalTopics() {
        ArrayNode topics = answer.putArray("internal_topics");
        for (String topic : new TreeSet<>(driver.producedTopicNames())) {
            if (!topic.startsWith("out-")) {
                topics.add(topic);
            }
        }
    }

    private long dropped() {
        double dropped = 0;
        for (Map.Entry<MetricName, ? extends Metric> metric : driver.metrics().entrySet()) {
            if (metric.getKey().name().equals("dropped-records-total")) {
                dropped += ((Number) metric.getValue().metricValue()).doubleValue();
            }
        }
        return (long) dropped;
    }
}
