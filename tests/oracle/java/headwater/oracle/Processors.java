package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.ProcessorContext;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Steps of the processor API: a running text per key, and ticks that forward what the store holds. */
final class Processors {
    private Processors() {}

    private static StoreBuilder<KeyValueStore<String, String>> store(String name) {
        return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Build.TEXT, Build.TEXT).withCachingDisabled();
    }

    static KStream<String, String> process(Build build, KStream<String, String> stream, int id, JsonNode n) {
        String name = "s" + id;
        build.stores.put(name, "plain");
        long every = n.path("every").asLong();
        boolean wall = n.path("wall").asBoolean();
        int ticks = n.path("ticks").asInt();
        return stream.process(new ProcessorSupplier<String, String, String, String>() {
            @Override public Processor<String, String, String, String> get() {
                return new Running(name, every, wall, ticks);
            }
            @Override public Set<StoreBuilder<?>> stores() {
                return Set.of(store(name));
            }
        }, Named.as("p" + id));
    }

    /** Forwards the running text of each key; with a timer, every so often all rows, until it has ticked enough. */
    private static final class Running implements Processor<String, String, String, String> {
        private final String name;
        private final long every;
        private final boolean wall;
        private int ticks;
        private KeyValueStore<String, String> store;
        private org.apache.kafka.streams.processor.api.ProcessorContext<String, String> context;
        private Cancellable timer;

        Running(String name, long every, boolean wall, int ticks) {
            this.name = name;
            this.every = every;
            this.wall = wall;
            this.ticks = ticks;
        }

        @Override public void init(org.apache.kafka.streams.processor.api.ProcessorContext<String, String> context) {
            this.context = context;
            store = context.getStateStore(name);
            if (every > 0) {
                PunctuationType type = wall ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME;
                timer = context.schedule(Duration.ofMillis(every), type, this::tick);
            }
        }

        @Override public void process(Record<String, String> record) {
            if (record.key() == null) {
                context.forward(record.withKey("null"));
                return;
            }
            String before = store.get(record.key());
            if (record.value() == null) {
                store.delete(record.key());
                context.forward(record.withValue(before));
                return;
            }
            String now = Functions.add(before == null ? "" : before, record.value());
            store.put(record.key(), now);
            context.forward(record.withValue(now));
        }

        private void tick(long now) {
            List<KeyValue<String, String>> rows = new ArrayList<>();
            try (KeyValueIterator<String, String> all = store.all()) {
                all.forEachRemaining(rows::add);
            }
            for (KeyValue<String, String> row : rows) {
                context.forward(new Record<>(row.key, "tick " + row.value, now));
            }
            if (--ticks == 0) {
                timer.cancel();
            }
        }
    }

    static KStream<String, String> processValues(Build build, KStream<String, String> stream, int id, JsonNode n) {
        String name = "s" + id;
        build.stores.put(name, "plain");
        return stream.processValues(new FixedKeyProcessorSupplier<String, String, String>() {
            @Override public FixedKeyProcessor<String, String, String> get() {
                return new FixedKeyProcessor<>() {
                    private KeyValueStore<String, String> store;
                    private FixedKeyProcessorContext<String, String> context;

                    @Override public void init(FixedKeyProcessorContext<String, String> context) {
                        this.context = context;
                        store = context.getStateStore(name);
                    }

                    @Override public void process(FixedKeyRecord<String, String> record) {
                        if (record.key() == null) {
                            context.forward(record.withValue("null"));
                            return;
                        }
                        String before = store.get(record.key());
                        String now = Functions.add(before == null ? "" : before, record.value());
                        store.put(record.key(), now);
                        context.forward(record.withValue(now));
                    }
                };
            }
            @Override public Set<StoreBuilder<?>> stores() {
                return Set.of(store(name));
            }
        }, Named.as("p" + id));
    }

    /** A table's values, each with those that its key had before. */
    static KTable<String, String> transform(Build build, KTable<String, String> table, int id) {
        ValueTransformerWithKeySupplier<String, String, String> supplier = () -> new Appending("n" + id);
        // A table's transformer gets no stores from its supplier, unlike a processor.
        build.builder.addStateStore(store("n" + id));
        return table.transformValues(supplier, build.rows("s" + id, Build.TEXT), "n" + id);
    }

    /** Appends each value to the key's text; a deletion begins it anew. */
    private static final class Appending implements ValueTransformerWithKey<String, String, String> {
        private final String store;
        private KeyValueStore<String, String> rows;

        Appending(String store) { this.store = store; }

        @Override public void init(ProcessorContext context) { rows = context.getStateStore(store); }

        @Override public String transform(String key, String value) {
            if (value == null) {
                rows.delete(key);
                return null;
            }
            String before = rows.get(key);
            String now = Functions.add(before == null ? "" : before, value);
            rows.put(key, now);
            return now;
        }

        @Override public void close() { }
    }
}
