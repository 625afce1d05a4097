package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** A case's topology. Each operator is one case of the switch, in the order and with the names of the Rust twin. */
final class Build {
    static final Serde<String> TEXT = Serdes.String();
    /** Records are piped this much later than they are, so that the driver takes negative times. */
    static final long BASE = 1_000_000;
    static final Duration LONG = Duration.ofDays(30);

    final StreamsBuilder builder = new StreamsBuilder();
    /** The names of stores whose contents are compared, with their kind. */
    final Map<String, String> stores = new LinkedHashMap<>();
    private final List<Object> built = new ArrayList<>();
    private final JsonNode nodes;
    private final boolean cached;
    /** Whether Java's own retention holds, for cases that show what comes of it. */
    final boolean defaultRetention;

    Build(JsonNode spec) {
        cached = spec.path("cached").asBoolean();
        defaultRetention = spec.path("default_retention").asBoolean();
        nodes = spec.get("nodes");
        boolean[] used = new boolean[nodes.size()];
        for (JsonNode node : nodes) {
            Object made = node(built.size(), node);
            for (JsonNode of : node.path("of")) {
                used[of.asInt()] = true;
            }
            built.add(made);
            if (node.path("out").asBoolean()) {
                stream(made).to("out-" + (built.size() - 1), Produced.with(TEXT, TEXT));
            }
        }
        for (int i = 0; i < used.length; i++) {
            Object made = built.get(i);
            boolean shows = made instanceof KStream || made instanceof KTable || made instanceof WindowedTable;
            if (!used[i] && shows && !nodes.get(i).path("out").asBoolean()) {
                stream(made).to("out-" + i, Produced.with(TEXT, TEXT));
            }
        }
    }

    private Object node(int id, JsonNode n) {
        int f = n.path("f").asInt();
        String store = "s" + id;
        switch (n.get("op").asText()) {
            case "stream":
                return builder.stream(n.get("topic").asText(), consumed());
            case "table":
                return builder.table(n.get("topic").asText(), consumed(), this.<String>rows(store, TEXT));
            case "versioned_table":
                return builder.table(n.get("topic").asText(), consumed(), Materialized.<String, String>as(
                    Stores.persistentVersionedKeyValueStore(store, ms(n, "history"))).withCachingDisabled());
            case "global_table":
                return builder.globalTable(n.get("topic").asText(), consumed(), Materialized.as("g" + id));
            case "filter":
                return stream(n).filter((k, v) -> Functions.test(f, k, v));
            case "filter_not":
                return stream(n).filterNot((k, v) -> Functions.test(f, k, v));
            case "map_values":
                return stream(n).mapValues(v -> Functions.value(f, v));
            case "flat_map_values":
                return stream(n).flatMapValues(v -> Functions.flat(f, v));
            case "select_key":
                return stream(n).selectKey((k, v) -> Functions.key(f, k, v));
            case "map":
                return stream(n).map((k, v) -> KeyValue.pair(Functions.key(f, k, v), Functions.value(f % 3, v)));
            case "flat_map":
                return stream(n).flatMap((k, v) -> {
                    List<KeyValue<String, String>> out = new ArrayList<>();
                    for (String flat : Functions.flat(f % 2, v)) {
                        out.add(KeyValue.pair(Functions.key(f, k, flat), flat));
                    }
                    return out;
                });
            case "peek":
                return stream(n).peek((k, v) -> { });
            case "merge":
                return stream(n).merge(stream(built.get(n.get("of").get(1).asInt())));
            case "split":
                return stream(n).split(Named.as("split" + id + "-"))
                    .branch((k, v) -> Functions.test(f, k, v), Branched.as("0"))
                    .branch((k, v) -> Functions.test(1, k, v), Branched.as("1"))
                    .defaultBranch(Branched.as("2"));
            case "branch":
                return ((Map<?, ?>) of(n, 0)).get("split" + n.get("of").get(0).asInt() + "-" + f % 3);
            case "repartition":
                return stream(n).repartition(Repartitioned.<String, String>as("r" + id).withKeySerde(TEXT).withValueSerde(TEXT));
            case "to_table":
                return stream(n).toTable(Named.as("t" + id), this.<String>rows(store, TEXT));
            case "to_stream":
                return stream(of(n, 0));
            case "aggregate":
                return Folds.stream(this, stream(n), id, n);
            case "cogroup":
                return Folds.cogroup(this, id, n);
            case "suppress_until_closed":
                return suppress(n, Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName("p" + id));
            case "suppress_until_time_limit":
                return suppress(n, Suppressed.untilTimeLimit(ms(n, "limit"), n.path("records").asLong() == 0
                    ? Suppressed.BufferConfig.maxRecords(Long.MAX_VALUE)
                    : Suppressed.BufferConfig.maxRecords(n.get("records").asLong())).withName("p" + id));
            case "table_filter":
                return named(n) ? table(n, 0).filter((k, v) -> Functions.test(f, k, v), this.<String>rows(store, TEXT))
                    : table(n, 0).filter((k, v) -> Functions.test(f, k, v));
            case "table_filter_not":
                return named(n) ? table(n, 0).filterNot((k, v) -> Functions.test(f, k, v), this.<String>rows(store, TEXT))
                    : table(n, 0).filterNot((k, v) -> Functions.test(f, k, v));
            case "table_map_values":
                return named(n) ? table(n, 0).mapValues(v -> Functions.row(f, v), this.<String>rows(store, TEXT))
                    : table(n, 0).mapValues(v -> Functions.row(f, v));
            case "table_transform_values":
                return Processors.transform(this, table(n, 0), id);
            case "table_group_by":
                return Folds.table(this, grouped(table(n, 0), id, f), id, n);
            case "table_join":
                return tables(n, id, store);
            case "foreign_key_join":
                return foreign(n, id, store);
            case "join_table":
                return withTable(n, id);
            case "join_global":
                return withGlobal(n, f);
            case "join_streams":
                return Folds.join(this, id, n, stream(n), stream(of(n, 1)));
            case "process":
                return Processors.process(this, stream(n), id, n);
            case "process_values":
                return Processors.processValues(this, stream(n), id, n);
            default:
                throw new IllegalArgumentException("the oracle knows no operator " + n.get("op"));
        }
    }

    private static Consumed<String, String> consumed() {
        TimestampExtractor shifted = (record, partitionTime) -> record.timestamp() - BASE;
        return Consumed.with(TEXT, TEXT).withTimestampExtractor(shifted);
    }

    private KGroupedTable<String, String> grouped(KTable<String, String> table, int id, int f) {
        return table.groupBy((k, v) -> KeyValue.pair(Functions.key(f, k, v), v), Grouped.with("g" + id, TEXT, TEXT));
    }

    private Object tables(JsonNode n, int id, String store) {
        KTable<String, String> left = table(n, 0);
        KTable<String, String> right = table(n, 1);
        Named name = Named.as("j" + id);
        Materialized<String, String, KeyValueStore<Bytes, byte[]>> rows = named(n) ? rows(store, TEXT) : null;
        switch (n.get("kind").asText()) {
            case "inner":
                return rows == null ? left.join(right, Functions::join, name) : left.join(right, Functions::join, name, rows);
            case "left":
                return rows == null ? left.leftJoin(right, Functions::join, name)
                    : left.leftJoin(right, Functions::join, name, rows);
            default:
                return rows == null ? left.outerJoin(right, Functions::join, name)
                    : left.outerJoin(right, Functions::join, name, rows);
        }
    }

    private Object foreign(JsonNode n, int id, String store) {
        TableJoined<String, String> name = TableJoined.as("fk" + id);
        return n.get("kind").asText().equals("inner")
            ? table(n, 0).join(table(n, 1), Functions::letter, Functions::join, name, this.<String>rows(store, TEXT))
            : table(n, 0).leftJoin(table(n, 1), Functions::letter, Functions::join, name, this.<String>rows(store, TEXT));
    }

    private Object withTable(JsonNode n, int id) {
        Joined<String, String, String> joined = Joined.with(TEXT, TEXT, TEXT, "j" + id);
        if (!n.path("grace").isMissingNode() && !n.get("grace").isNull()) {
            joined = joined.withGracePeriod(ms(n, "grace"));
        }
        return n.get("kind").asText().equals("inner") ? stream(n).join(table(n, 1), Functions::join, joined)
            : stream(n).leftJoin(table(n, 1), Functions::join, joined);
    }

    @SuppressWarnings("unchecked")
    private Object withGlobal(JsonNode n, int f) {
        GlobalKTable<String, String> table = (GlobalKTable<String, String>) of(n, 1);
        return n.get("kind").asText().equals("inner")
            ? stream(n).join(table, (k, v) -> Functions.key(f, k, v), (l, r) -> Functions.join(l, r))
            : stream(n).leftJoin(table, (k, v) -> Functions.key(f, k, v), (l, r) -> Functions.join(l, r));
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private Object suppress(JsonNode n, Suppressed<?> suppressed) {
        Object of = of(n, 0);
        return of instanceof WindowedTable ? new WindowedTable(((KTable) ((WindowedTable) of).table).suppress(suppressed))
            : ((KTable) of).suppress(suppressed);
    }

    /** A table whose keys are windowed. */
    static final class WindowedTable {
        final KTable<Windowed<String>, ?> table;

        WindowedTable(KTable<Windowed<String>, ?> table) {
            this.table = table;
        }
    }

    private Object of(JsonNode n, int which) {
        return built.get(n.get("of").get(which).asInt());
    }

    private KStream<String, String> stream(JsonNode n) {
        return stream(of(n, 0));
    }

    KStream<String, String> stream(int node) {
        return stream(built.get(node));
    }

    /** The stream that a stream or table shows itself as. */
    @SuppressWarnings("unchecked")
    private KStream<String, String> stream(Object made) {
        if (made instanceof KStream) {
            return (KStream<String, String>) made;
        }
        if (made instanceof WindowedTable) {
            KTable<Windowed<String>, ?> table = ((WindowedTable) made).table;
            return table.toStream((w, v) -> Functions.window(w)).mapValues(v -> v == null ? null : v.toString());
        }
        return ((KTable<String, Object>) made).toStream().mapValues(v -> v == null ? null : v.toString());
    }

    @SuppressWarnings("unchecked")
    private KTable<String, String> table(JsonNode n, int which) {
        return (KTable<String, String>) of(n, which);
    }

    /** Whether the node's windows never end. */
    /**
     * For how long a node's windows are kept: long; sessions that are updated, as long as Headwater lets a late record
     * join them (difference D3); null for Java's own retention.
     */
    Duration retention(int id) {
        JsonNode windows = nodes.get(id).path("windows");
        String kind = windows.path("kind").asText();
        if (defaultRetention || kind.equals("unlimited")) {
            return null;
        }
        boolean updated = !nodes.get(id).path("on_close").asBoolean();
        return kind.equals("session") && updated
            ? ms(windows, "size").multipliedBy(2).plus(ms(windows, "grace")).plusMillis(1) : LONG;
    }

    static boolean named(JsonNode n) {
        return n.path("named").asBoolean();
    }

    static Duration ms(JsonNode n, String field) {
        return Duration.ofMillis(n.get(field).asLong());
    }

    /** A key-value store whose rows are compared. */
    <V> Materialized<String, V, KeyValueStore<Bytes, byte[]>> rows(String store, Serde<V> values) {
        stores.put(store, "rows");
        return caching(Materialized.<String, V, KeyValueStore<Bytes, byte[]>>as(store).withKeySerde(TEXT).withValueSerde(values));
    }

    <V, S extends org.apache.kafka.streams.processor.StateStore> Materialized<String, V, S> caching(Materialized<String, V, S> m) {
        return cached ? m.withCachingEnabled() : m.withCachingDisabled();
    }
}
