package headwater.oracle;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.kstream.Windowed;

/** What a program's closures do, by number; the Rust twin (functions.rs) does the same. All text is ASCII. */
final class Functions {
    private Functions() {}

    private static final int LONGEST = 40;

    /** FNV-1a. */
    static long hash(String text) {
        int hash = 0x811c9dc5;
        for (byte b : (text == null ? "_" : text).getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (b & 0xff)) * 0x01000193;
        }
        return hash & 0xffffffffL;
    }

    static long hash(String key, String value) {
        return hash((key == null ? "_" : key) + "=" + (value == null ? "_" : value));
    }

    static String text(String value) {
        return value == null ? "_" : value;
    }

    /** Keeps aggregates short: what is too long becomes its hash and its end. */
    static String cap(String text) {
        return text.length() <= LONGEST ? text : String.format("#%08x~%s", hash(text), text.substring(text.length() - 8));
    }

    static boolean test(int f, String key, String value) {
        switch (f) {
            case 0: return value != null;
            case 1: return hash(key, value) % 2 == 0;
            case 2: return hash(key, value) % 3 != 0;
            case 3: return key != null;
            default: return true;
        }
    }

    static String key(int f, String key, String value) {
        switch (f) {
            case 0: return letter(value);
            case 1: return "x";
            case 2: return key;
            default: return value == null ? key : "k" + hash(value) % 3;
        }
    }

    /** The first letter from a to d in a value, or null. */
    static String letter(String value) {
        if (value == null) {
            return null;
        }
        for (char c : value.toCharArray()) {
            if (c >= 'a' && c <= 'd') {
                return String.valueOf(c);
            }
        }
        return null;
    }

    static String value(int f, String value) {
        switch (f) {
            case 0: return value == null ? "nil" : cap(value + "'");
            case 1: return value;
            default: return hash(value) % 4 == 0 ? null : value;
        }
    }

    /** As {@link #value} for table rows, which are never null. */
    static String row(int f, String value) {
        return f == 0 ? cap(value + "'") : value;
    }

    static List<String> flat(int f, String value) {
        List<String> values = new ArrayList<>();
        if (f == 0) {
            if (value != null) {
                values.add(cap(value + "1"));
                values.add(cap(value + "2"));
            }
            return values;
        }
        for (int i = 0; i < hash(value) % 3; i++) {
            values.add(i == 1 ? null : cap(text(value) + "!"));
        }
        return values;
    }

    static String add(String aggregate, String value) {
        return cap(aggregate + "+" + text(value));
    }

    static String subtract(String aggregate, String value) {
        return cap(aggregate + "-" + text(value));
    }

    static String reduce(String aggregate, String value) {
        return cap(text(aggregate) + "&" + text(value));
    }

    /** A reducer that sometimes deletes the row. */
    static String reduceOrDelete(String aggregate, String value) {
        return hash(value) % 7 == 0 ? null : reduce(aggregate, value);
    }

    static String unreduce(String aggregate, String value) {
        return cap(text(aggregate) + "/" + text(value));
    }

    static String merge(String a, String b) {
        return cap("{" + a + b + "}");
    }

    /** An aggregator that sometimes deletes the row. */
    static String update(String aggregate, String value) {
        return hash(value) % 4 == 0 ? null : add(aggregate, value);
    }

    static String join(String left, String right) {
        return cap("[" + text(left) + "|" + text(right) + "]");
    }

    /** A windowed key as plain text. */
    @SuppressWarnings("unchecked")
    static String window(Object windowed) {
        Windowed<String> w = (Windowed<String>) windowed;
        return w.key() + "@" + w.window().start() + "/" + w.window().end();
    }
}
