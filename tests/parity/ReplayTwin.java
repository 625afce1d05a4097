import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;

/**
 * The Kafka Streams side of {@code ./dev replay-parity}: flights, re-keyed to origin and carrier, counted by day.
 *
 * <p>Arguments: brokers, application, input topic, output topic, threads, state directory. Runs until its standard input
 * closes. Writes {@code processed N} while it works and {@code dropped N} at its end.
 */
public final class ReplayTwin {
    private static final Duration LOOK = Duration.ofMillis(100);
    private static final Duration WINDOW = Duration.ofDays(1);
    private static final Duration GRACE = Duration.ofHours(24);
    private static final AtomicLong PROCESSED = new AtomicLong();
    private static final ThreadLocal<ObjectReader> JSON = ThreadLocal.withInitial(() -> new ObjectMapper().reader());

    private final KafkaStreams streams;
    /** A task that moves to another process takes its counter with it: the last value of each, and the sum of the ended. */
    private final Map<MetricName, Double> last = new HashMap<>();
    private double ended;

    private ReplayTwin(KafkaStreams streams) {
        this.streams = streams;
    }

    public static void main(String[] args) throws InterruptedException {
        String input = args[2];
        String output = args[3];
        KafkaStreams streams = new KafkaStreams(topology(input, output), settings(args));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        System.exit(new ReplayTwin(streams).watch(inputCloses()));
    }

    private static Properties settings(String[] args) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[4]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[5]);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put("auto.offset.reset", "earliest");
        // Exactly once, with a commit a second, as Headwater by default.
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000);
        // The records are of 2013. By default the broker would delete them from the windows' changelog at once.
        settings.put(StreamsConfig.WINDOW_STORE_CHANGE_LOG_ADDITIONAL_RETENTION_MS_CONFIG, Long.MAX_VALUE / 4);
        // Tasks move to a second process when it joins, not at the next probing ten minutes later.
        settings.put(StreamsConfig.ACCEPTABLE_RECOVERY_LAG_CONFIG, Long.MAX_VALUE);
        return settings;
    }

    private static Topology topology(String input, String output) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(input)
            .map((carrier, flight) -> {
                PROCESSED.incrementAndGet();
                JsonNode json = parse(flight);
                String key = json.get("origin").textValue() + "/" + json.get("carrier").textValue();
                return KeyValue.pair(key, json.get("tailnum").textValue());
            })
            .groupByKey(Grouped.with("by-origin-and-carrier", Serdes.String(), Serdes.String()))
            .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
            .count(Materialized.<String, Long>as(windowStore())
                .withKeySerde(Serdes.String())
                .withValueSerde(Serdes.Long()))
            .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()))
            .toStream()
            .map((window, flights) -> KeyValue.pair(
                window.key(), "{\"start\":" + window.window().start() + ",\"flights\":" + flights + "}"))
            .to(output);
        return builder.build();
    }

    /** In memory: with RocksDB the year's windows would be opened and dropped as hundreds of databases, day by day. */
    private static WindowBytesStoreSupplier windowStore() {
        return Stores.inMemoryWindowStore("daily-flights", WINDOW.plus(GRACE), WINDOW, false);
    }

    private static JsonNode parse(String flight) {
        try {
            return JSON.get().readTree(flight);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** Counts down when whoever started this process closes the input, or is gone. */
    private static CountDownLatch inputCloses() {
        CountDownLatch closed = new CountDownLatch(1);
        Thread reader = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {}
            } catch (IOException gone) {
                // As good as closed.
            }
            closed.countDown();
        });
        reader.setDaemon(true);
        reader.start();
        return closed;
    }

    private int watch(CountDownLatch closed) throws InterruptedException {
        long told = 0;
        boolean over = false;
        while (!over) {
            over = closed.await(LOOK.toMillis(), TimeUnit.MILLISECONDS);
            if (streams.state().hasCompletedShutdown()) {
                return 1;
            }
            noteDropped();
            long processed = PROCESSED.get();
            if (processed != told) {
                told = processed;
                System.out.println("processed " + processed);
            }
        }
        double dropped = ended + last.values().stream().mapToDouble(Double::doubleValue).sum();
        System.out.println("dropped " + Math.round(dropped));
        streams.close(Duration.ofSeconds(20));
        return 0;
    }

    private void noteDropped() {
        Map<MetricName, Double> now = new HashMap<>();
        for (Map.Entry<MetricName, ? extends Metric> metric : streams.metrics().entrySet()) {
            MetricName name = metric.getKey();
            if (name.name().equals("dropped-records-total") && name.group().equals("stream-task-metrics")) {
                now.put(name, ((Number) metric.getValue().metricValue()).doubleValue());
            }
        }
        last.forEach((name, before) -> {
            if (now.getOrDefault(name, -1.0) < before) {
                ended += before;
            }
        });
        last.clear();
        last.putAll(now);
    }
}
