package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.kstream.SessionWindowedSerializer;
import org.apache.kafka.streams.kstream.TimeWindowedSerializer;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.kstream.internals.TimeWindow;
import org.apache.kafka.streams.processor.internals.DefaultStreamPartitioner;

/** Bytes and names as Kafka's own classes make them. */
final class ByteForms {
    private ByteForms() {}

    static ObjectNode answer(JsonNode request) {
        ObjectNode answer = Run.JSON.createObjectNode();
        ArrayNode forms = answer.putArray("forms");
        switch (request.get("of").asText()) {
            case "murmur2":
                for (JsonNode key : request.get("keys")) {
                    forms.add(Utils.murmur2(bytes(key)));
                }
                break;
            case "partition":
                int partitions = request.get("partitions").asInt();
                for (JsonNode key : request.get("keys")) {
                    forms.add(partition(key, partitions));
                }
                break;
            case "windowed":
                for (JsonNode w : request.get("windows")) {
                    forms.add(HexFormat.of().formatHex(windowed(w)));
                }
                break;
            case "describe":
                forms.add(new Build(request.get("case")).builder.build().describe().toString());
                break;
            case "topic_settings":
                TopicSettings.tell(request.get("case"), forms);
                break;
            default: throw new IllegalArgumentException("no form " + request.get("of"));
        }
        return answer;
    }

    private static byte[] bytes(JsonNode hex) {
        return HexFormat.of().parseHex(hex.asText());
    }

    /** The partition by Kafka Streams' own default partitioner; null where it leaves the choice to the producer. */
    private static Integer partition(JsonNode key, int partitions) {
        byte[] raw = key.isNull() ? null : bytes(key);
        return new DefaultStreamPartitioner<byte[], byte[]>(Serdes.ByteArray().serializer())
            .partitions("topic", raw, null, partitions).map(chosen -> chosen.iterator().next())
            .orElseGet(() -> raw == null ? null : BuiltInPartitioner.partitionForKey(raw, partitions));
    }

    private static byte[] windowed(JsonNode w) {
        String key = w.get("key").asText();
        long start = w.get("start").asLong();
        long end = w.get("end").asLong();
        return w.get("session").asBoolean()
            ? new SessionWindowedSerializer<>(Serdes.String().serializer())
                .serialize("topic", new Windowed<>(key, new SessionWindow(start, end)))
            : new TimeWindowedSerializer<>(Serdes.String().serializer())
                .serialize("topic", new Windowed<>(key, new TimeWindow(start, end)));
    }
}
