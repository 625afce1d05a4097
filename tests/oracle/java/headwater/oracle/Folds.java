package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.Windows;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.internals.InMemoryWindowStore;

/** Aggregations, windows and windowed joins. */
final class Folds {
    private Folds() {}

    static Object stream(Build build, KStream<String, String> stream, int id, JsonNode n) {
        if (n.get("fold").asText().equals("reduce_values")) {
            stream = stream.filter((k, v) -> v != null);
        }
        KGroupedStream<String, String> grouped = group(stream, "g" + id, n.get("key"));
        JsonNode windows = n.path("windows");
        switch (windows.path("kind").asText("none")) {
            case "none": return plain(build, grouped, id, n);
            case "session": return session(build, grouped.windowedBy(sessions(windows)), id, n);
            case "sliding": return windowed(build, grouped.windowedBy(sliding(windows)), id, n);
            default: return windowed(build, grouped.windowedBy(windows(windows)), id, n);
        }
    }

    private static KGroupedStream<String, String> group(KStream<String, String> stream, String name, JsonNode key) {
        Grouped<String, String> grouped = Grouped.with(name, Build.TEXT, Build.TEXT);
        return key == null || key.isNull() ? stream.groupByKey(grouped)
            : stream.groupBy((k, v) -> Functions.key(key.asInt(), k, v), grouped);
    }

    private static Object plain(Build build, KGroupedStream<String, String> grouped, int id, JsonNode n) {
        String store = "s" + id;
        switch (n.get("fold").asText()) {
            case "count": return grouped.count(build.rows(store, Serdes.Long()));
            case "reduce": return grouped.reduce(Functions::reduceOrDelete, build.rows(store, Build.TEXT));
            case "reduce_values": return grouped.reduce(Functions::reduce, build.rows(store, Build.TEXT));
            case "aggregate":
                return grouped.aggregate(() -> "", (k, v, a) -> Functions.add(a, v), build.rows(store, Build.TEXT));
            default:
                return grouped.aggregate(() -> "", (k, v, a) -> Functions.update(a, v), build.rows(store, Build.TEXT));
        }
    }

    private static Object windowed(Build build, TimeWindowedKStream<String, String> windowed, int id, JsonNode n) {
        if (n.path("on_close").asBoolean()) {
            windowed = windowed.emitStrategy(EmitStrategy.onWindowClose());
        }
        build.stores.put("s" + id, "windows");
        KTable<Windowed<String>, ?> made;
        switch (n.get("fold").asText()) {
            case "count": made = windowed.count(Folds.<Long, WindowStore<Bytes, byte[]>>kept(build, id, Serdes.Long())); break;
            case "reduce": made = windowed.reduce(Functions::reduceOrDelete, Folds.kept(build, id, Build.TEXT)); break;
            case "reduce_values": made = windowed.reduce(Functions::reduce, Folds.kept(build, id, Build.TEXT)); break;
            case "aggregate":
                made = windowed.aggregate(() -> "", (k, v, a) -> Functions.add(a, v), Folds.kept(build, id, Build.TEXT));
                break;
            default:
                made = windowed.aggregate(() -> "", (k, v, a) -> Functions.update(a, v), Folds.kept(build, id, Build.TEXT));
        }
        return new Build.WindowedTable(made);
    }

    private static Object session(Build build, SessionWindowedKStream<String, String> windowed, int id, JsonNode n) {
        if (n.path("on_close").asBoolean()) {
            windowed = windowed.emitStrategy(EmitStrategy.onWindowClose());
        }
        build.stores.put("s" + id, "sessions");
        KTable<Windowed<String>, ?> made;
        switch (n.get("fold").asText()) {
            case "count": made = windowed.count(Folds.<Long, SessionStore<Bytes, byte[]>>kept(build, id, Serdes.Long())); break;
            case "reduce": made = windowed.reduce(Functions::reduceOrDelete, Folds.kept(build, id, Build.TEXT)); break;
            case "reduce_values": made = windowed.reduce(Functions::reduce, Folds.kept(build, id, Build.TEXT)); break;
            case "aggregate":
                made = windowed.aggregate(() -> "", (k, v, a) -> Functions.add(a, v),
                    (k, a, b) -> Functions.merge(a, b), Folds.kept(build, id, Build.TEXT));
                break;
            default:
                made = windowed.aggregate(() -> "", (k, v, a) -> Functions.update(a, v),
                    (k, a, b) -> Functions.merge(a, b), Folds.kept(build, id, Build.TEXT));
        }
        return new Build.WindowedTable(made);
    }

    /** Cogroups the inputs: the first by its key, the aggregates told apart by the input's place. */
    static Object cogroup(Build build, int id, JsonNode n) {
        CogroupedKStream<String, String> all = null;
        int place = 0;
        for (JsonNode of : n.get("of")) {
            KGroupedStream<String, String> grouped = group(build.stream(of.asInt()), "g" + id + "-" + place, n.get("key"));
            String mark = String.valueOf(place++);
            if (all == null) {
                all = grouped.cogroup((k, v, a) -> Functions.add(a, mark + Functions.text(v)));
            } else {
                all = all.cogroup(grouped, (k, v, a) -> Functions.add(a, mark + Functions.text(v)));
            }
        }
        JsonNode windows = n.path("windows");
        switch (windows.path("kind").asText("none")) {
            case "none": return all.aggregate(() -> "", build.rows("s" + id, Build.TEXT));
            case "session":
                build.stores.put("s" + id, "sessions");
                return new Build.WindowedTable(all.windowedBy(sessions(windows))
                    .aggregate(() -> "", (k, a, b) -> Functions.merge(a, b), Folds.kept(build, id, Build.TEXT)));
            case "sliding":
                build.stores.put("s" + id, "windows");
                return new Build.WindowedTable(all.windowedBy(sliding(windows))
                    .aggregate(() -> "", Folds.kept(build, id, Build.TEXT)));
            default:
                build.stores.put("s" + id, "windows");
                return new Build.WindowedTable(all.windowedBy(windows(windows))
                    .aggregate(() -> "", Folds.kept(build, id, Build.TEXT)));
        }
    }

    static Object table(Build build, KGroupedTable<String, String> grouped, int id, JsonNode n) {
        String store = "s" + id;
        switch (n.get("fold").asText()) {
            case "count": return grouped.count(build.rows(store, Serdes.Long()));
            case "reduce":
            case "reduce_values":
                return grouped.reduce(Functions::reduce, Functions::unreduce, build.rows(store, Build.TEXT));
            case "aggregate":
                return grouped.aggregate(() -> "", (k, v, a) -> Functions.add(a, v), (k, v, a) -> Functions.subtract(a, v),
                    build.rows(store, Build.TEXT));
            default:
                return grouped.aggregate(() -> "", (k, v, a) -> Functions.update(a, v), (k, v, a) -> Functions.subtract(a, v),
                    build.rows(store, Build.TEXT));
        }
    }

    /** A store whose retention is the case's, so that Java's hiding of old rows plays no part (differences D1 and D3). */
    private static <V, S extends org.apache.kafka.streams.processor.StateStore> Materialized<String, V, S> kept(
            Build build, int id, Serde<V> values) {
        Materialized<String, V, S> store = Materialized.<String, V, S>as("s" + id).withKeySerde(Build.TEXT).withValueSerde(values);
        Duration retention = build.retention(id);
        return build.caching(retention == null ? store : store.withRetention(retention));
    }

    private static Windows<? extends org.apache.kafka.streams.kstream.Window> windows(JsonNode w) {
        switch (w.get("kind").asText()) {
            case "tumbling": return TimeWindows.ofSizeAndGrace(Build.ms(w, "size"), Build.ms(w, "grace"));
            case "hopping":
                return TimeWindows.ofSizeAndGrace(Build.ms(w, "size"), Build.ms(w, "grace")).advanceBy(Build.ms(w, "advance"));
            default: return UnlimitedWindows.of().startOn(java.time.Instant.ofEpochMilli(w.get("start").asLong()));
        }
    }

    private static SlidingWindows sliding(JsonNode w) {
        return SlidingWindows.ofTimeDifferenceAndGrace(Build.ms(w, "size"), Build.ms(w, "grace"));
    }

    private static SessionWindows sessions(JsonNode w) {
        return SessionWindows.ofInactivityGapAndGrace(Build.ms(w, "size"), Build.ms(w, "grace"));
    }

    static Object join(Build build, int id, JsonNode n, KStream<String, String> left, KStream<String, String> right) {
        long before = n.get("before").asLong();
        long after = n.get("after").asLong();
        long grace = n.get("grace").asLong();
        Duration wide = Duration.ofMillis(Math.abs(before) + Math.abs(after));
        JoinWindows windows = JoinWindows.ofTimeDifferenceAndGrace(wide, Duration.ofMillis(grace))
            .before(Duration.ofMillis(before)).after(Duration.ofMillis(after));
        StreamJoined<String, String, String> joined = StreamJoined.with(Build.TEXT, Build.TEXT, Build.TEXT).withName("j" + id)
            .withStoreName("s" + id)
            .withThisStoreSupplier(new JoinRows("s" + id + "-left", before + after, grace, build.defaultRetention))
            .withOtherStoreSupplier(new JoinRows("s" + id + "-right", before + after, grace, build.defaultRetention));
        switch (n.get("kind").asText()) {
            case "inner": return left.join(right, Functions::join, windows, joined);
            case "left": return left.leftJoin(right, Functions::join, windows, joined);
            default: return left.outerJoin(right, Functions::join, windows, joined);
        }
    }

    /** A join's rows, visible one millisecond longer than Java's own store shows them (difference D4). */
    private static final class JoinRows implements WindowBytesStoreSupplier {
        private final String name;
        private final long size;
        private final long grace;
        private final boolean asJava;

        JoinRows(String name, long size, long grace, boolean asJava) {
            this.asJava = asJava;
            this.name = name;
            this.size = size;
            this.grace = grace;
        }

        @Override public String name() { return name; }
        @Override public WindowStore<Bytes, byte[]> get() {
            return asJava ? new InMemoryWindowStore(name, size + grace, size, true, "in-memory-window")
                : new Uncounted(name, size + grace + 1, size);
        }
        @Override public String metricsScope() { return "in-memory-window"; }
        @Override public long segmentIntervalMs() { return 1; }
        @Override public long windowSize() { return size; }
        @Override public boolean retainDuplicates() { return true; }
        @Override public long retentionPeriod() { return size + grace; }
    }

    /** A store that leaves out rows which are too old without counting them as dropped records: they have been joined. */
    private static final class Uncounted extends InMemoryWindowStore {
        private final long retention;
        private long newest = -1;

        Uncounted(String name, long retention, long size) {
            super(name, retention, size, true, "in-memory-window");
            this.retention = retention;
        }

        @Override public void put(Bytes key, byte[] value, long time) {
            newest = Math.max(newest, time);
            if (time > newest - retention) {
                super.put(key, value, time);
            }
        }
    }
}
