package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.internals.InternalTopicConfig;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder.TopicsInfo;

/** What Kafka Streams sets the internal topics of a case to when it makes them. */
final class TopicSettings {
    private static final long DAY_MS = 86_400_000;

    private TopicSettings() {}

    static void tell(JsonNode spec, ArrayNode answer) {
        for (TopicsInfo part : builder(spec).subtopologyToTopicsInfo().values()) {
            for (Map<String, InternalTopicConfig> topics : List.of(part.repartitionSourceTopics, part.stateChangelogTopics)) {
                topics.forEach((topic, config) -> answer.addArray().add(topic)
                    .add(Run.JSON.valueToTree(config.properties(Map.of(), DAY_MS))));
            }
        }
    }

    private static InternalTopologyBuilder builder(JsonNode spec) {
        Properties config = Run.config(spec, Path.of("unused"));
        try {
            Field field = Topology.class.getDeclaredField("internalTopologyBuilder");
            field.setAccessible(true);
            InternalTopologyBuilder builder = (InternalTopologyBuilder) field.get(new Build(spec).builder.build(config));
            builder.rewriteTopology(new StreamsConfig(config));
            builder.buildTopology(); // It connects the stores with their changelogs.
            return builder;
        } catch (ReflectiveOperationException changed) {
            throw new IllegalStateException("Kafka Streams keeps its topology elsewhere now", changed);
        }
    }
}
