package headwater.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * Kafka Streams as an oracle: one request a line on standard input, one answer a line on standard output. A request is
 * {"case": ..} or {"bytes": ..}; an answer to one that cannot be served is {"error": ..}.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false,
            StandardCharsets.UTF_8);
        System.setOut(System.err);
        Path state = Files.createTempDirectory("headwater-oracle");
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(answer(line, state));
            answers.flush();
        }
        delete(state);
    }

    private static ObjectNode answer(String line, Path state) {
        try {
            JsonNode request = Run.JSON.readTree(line);
            return request.has("case") ? Run.run(request.get("case"), state) : ByteForms.answer(request.get("bytes"));
        } catch (Throwable failure) {
            Throwable cause = failure;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            StringBuilder trace = new StringBuilder(failure + " / " + cause);
            for (int i = 0; i < Math.min(6, cause.getStackTrace().length); i++) {
                trace.append(" < ").append(cause.getStackTrace()[i]);
            }
            return Run.JSON.createObjectNode().put("error", trace.toString());
        }
    }

    private static void delete(Path directory) throws java.io.IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        }
    }
}
