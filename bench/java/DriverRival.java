import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.KeyValueIterator;

/**
 * The Kafka Streams side of {@code ./dev bench java}: its test driver on the workloads of {@code bench/src/java_rival}.
 *
 * <p>Reads lines {@code workload store records} from its standard input, {@code store} being {@code rocksdb} or
 * {@code memory}, until that closes. For each it runs the workload in a new driver and writes a line: the CPU time of the
 * thread while it piped, in nanoseconds; how many rows came of it; and the sum of their marks, by which the two sides
 * compare their results.
 */
public final class DriverRival {
    private static final long KEYS = 1_000;
    /** So late that every window is there, also those that began before the first record. */
    private static final long START = Duration.ofHours(1).toMillis();
    /** No window closes, so that at the end all rows are still there to be compared. */
    private static final Duration GRACE = Duration.ofDays(1);
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final Properties settings = new Properties();
    private final StreamsBuilder builder;
    private final KStream<Long, Long> numbers;
    /** The last word on each session; null if it has become part of another one. */
    private final Map<Windowed<Long>, Long> sessions = new HashMap<>();
    private boolean hasRight;
    private long rows;
    private long marks;

    private DriverRival(String store) {
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "rival");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nobody:1");
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.LongSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.LongSerde.class);
        // The driver commits after each record, which would flush the cache: it would only cost.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        if (store.equals("memory")) {
            settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
                BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        }
        builder = new StreamsBuilder(new TopologyConfig(new StreamsConfig(settings)));
        numbers = builder.stream("numbers");
    }

    public static void main(String[] args) throws IOException {
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] words = line.split(" ");
            System.out.println(new DriverRival(words[1]).run(words[0], Long.parseLong(words[2])));
        }
    }

    private String run(String workload, long records) {
        build(workload);
        try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(), settings, Instant.EPOCH)) {
            TestInputTopic<Long, Long> left = input(driver, "numbers");
            TestInputTopic<Long, Long> right = hasRight ? input(driver, "others") : left;
            long before = THREADS.getCurrentThreadCpuTime();
            for (long number = 0; number < records; number++) {
                (number % 2 == 0 ? left : right).pipeInput(key(number), number, START + number);
            }
            long spent = THREADS.getCurrentThreadCpuTime() - before;
            read(driver, workload);
            return spent + " " + rows + " " + marks;
        }
    }

    /** No key comes in regular steps: some pauses between two records of one key are short and some long. */
    private static long key(long number) {
        return (mixed(mixed(17 ^ number)) >>> 1) % KEYS;
    }

    private static long mixed(long number) {
        long product = number * 0x9E37_79B9_7F4A_7C15L;
        return product ^ product >>> 32;
    }

    private static TestInputTopic<Long, Long> input(TopologyTestDriver driver, String topic) {
        return driver.createInputTopic(topic, Serdes.Long().serializer(), Serdes.Long().serializer());
    }

    private void build(String workload) {
        switch (workload) {
            case "count" -> numbers.filter((key, value) -> value % 10 != 0).mapValues(value -> value * 3)
                .groupByKey().count(Materialized.as("rows"));
            case "chain" -> numbers.filter((key, value) -> value % 10 != 0).mapValues(value -> value * 3)
                .peek((key, value) -> {}).filterNot((key, value) -> key.equals(value)).mapValues(value -> value ^ 1)
                .groupByKey().count(Materialized.as("rows"));
            case "tumbling" -> count(numbers.groupByKey(), TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE));
            case "hopping" -> count(numbers.groupByKey(),
                TimeWindows.ofSizeAndGrace(Duration.ofSeconds(60), GRACE).advanceBy(Duration.ofSeconds(5)));
            case "session" -> numbers.groupByKey()
                .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofMillis(1_500), Duration.ofSeconds(1)))
                .count().toStream().foreach(sessions::put);
            case "join" -> join();
            default -> throw new IllegalArgumentException(workload);
        }
    }

    private void count(KGroupedStream<Long, Long> grouped, TimeWindows windows) {
        grouped.windowedBy(windows).count(Materialized.as("rows"));
    }

    private void join() {
        hasRight = true;
        KStream<Long, Long> others = builder.stream("others");
        numbers.join(others, (left, right) -> left * 31 + right,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(1), Duration.ZERO))
            .foreach((key, both) -> note(key, 0, 0, both));
    }

    private void read(TopologyTestDriver driver, String workload) {
        switch (workload) {
            case "count", "chain" -> {
                try (KeyValueIterator<Long, Long> all = driver.<Long, Long>getKeyValueStore("rows").all()) {
                    all.forEachRemaining(row -> note(row.key, 0, 0, row.value));
                }
            }
            case "tumbling", "hopping" -> {
                try (KeyValueIterator<Windowed<Long>, Long> all = driver.<Long, Long>getWindowStore("rows").all()) {
                    all.forEachRemaining(row -> noteWindow(row.key, row.value));
                }
            }
            case "session" -> sessions.forEach((session, count) -> {
                if (count != null) {
                    noteWindow(session, count);
                }
            });
            default -> {}
        }
    }

    private void noteWindow(Windowed<Long> window, long value) {
        note(window.key(), window.window().start(), window.window().end(), value);
    }

    /** The same as in Rust: a row's mark depends on all its parts, and the sum of the marks not on their order. */
    private void note(long key, long start, long end, long value) {
        long mark = 17;
        for (long part : new long[] {key, start, end, value}) {
            mark = mixed(mark ^ part);
        }
        rows++;
        marks += mark;
    }
}
