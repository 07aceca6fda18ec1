import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An encoder or a viewer for the router with nothing but the JDK: java.net.http.WebSocket, and JSON by hand.
 *
 *     java JavaClient.java encoder|viewer json|msgpack ws://host:port query|header TOKEN [STREAM_ID]
 *
 * Everything it receives is JSON; `msgpack` (encoder only) makes it send its frames as binary MessagePack messages.
 * Commands on stdin, one a line: `frame FILE` and `alert TEXT` (encoder); the end of stdin closes the connection.
 * Events on stdout, one JSON object a line.
 */
public class JavaClient implements WebSocket.Listener {
    private static final Pattern TYPE = Pattern.compile("\"type\"\\s*:\\s*\"([^\"]*)\"");
    private static final Pattern STREAM_ID = Pattern.compile("Stream ID: (stream_\\w+)");
    private static final String DATA_START = "\"data\":\"";

    /** UTF-8 whatever the locale. */
    private static final PrintStream OUT =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

    private final boolean isEncoder;
    private final CompletableFuture<String> registered = new CompletableFuture<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final StringBuilder text = new StringBuilder();
    private int parts = 0;

    private JavaClient(boolean isEncoder) {
        this.isEncoder = isEncoder;
    }

    public static void main(String[] arguments) throws Exception {
        boolean isEncoder = arguments[0].equals("encoder");
        boolean sendsBinary = arguments[1].equals("msgpack");
        String token = arguments[4];
        String path = isEncoder ? "/streams/register" : "/streams/subscribe";
        JavaClient client = new JavaClient(isEncoder);
        WebSocket.Builder builder = HttpClient.newHttpClient().newWebSocketBuilder();
        String query = "";
        if (arguments[3].equals("query")) query = "?token=" + token;
        else builder.header("Authorization", "Bearer " + token);
        WebSocket socket = builder.buildAsync(URI.create(arguments[2] + path + query), client).join();
        try {
            socket.sendText(isEncoder ? register(arguments) : subscribe(arguments[5]), true).join();
        } catch (CompletionException refused) {
            // Whoever was turned away cannot send any more; why, the listener reads.
        }
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] command = line.split(" ", 2);
            if (command[0].equals("alert")) client.sendAlert(socket, command[1]);
            else client.sendFrame(socket, Files.readAllBytes(Path.of(command[1])), sendsBinary);
        }
        // The router may have been first, and the JDK answers its close by itself.
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").exceptionally(alreadyClosed -> socket).join();
        client.closed.await();
    }

    private static String register(String[] arguments) {
        String streamId = arguments.length > 5 ? ",\"streamId\":\"" + arguments[5] + "\"" : "";
        return "{\"type\":\"register\",\"clientType\":\"mobile\"" + streamId
            + ",\"produces\":[\"video-frame\",\"alert\"],\"consumes\":[\"alert\"]}";
    }

    private static String subscribe(String streamId) {
        return "{\"type\":\"subscribe\",\"clientType\":\"dashboard\",\"streamId\":\"" + streamId
            + "\",\"consumes\":[\"video-frame\",\"alert\"]}";
    }

    private void sendFrame(WebSocket socket, byte[] jpeg, boolean binary) throws Exception {
        String streamId = registered.get();
        if (binary) {
            socket.sendBinary(ByteBuffer.wrap(msgpackFrame(streamId, jpeg)), true).join();
            return;
        }
        socket.sendText("{\"type\":\"video-frame\",\"streamId\":\"" + streamId + "\",\"data\":\""
            + Base64.getEncoder().encodeToString(jpeg)
            + "\",\"timestamp\":" + System.currentTimeMillis() + "}", true).join();
    }

    /** In three parts, as a program does that writes while it produces. */
    private void sendAlert(WebSocket socket, String message) throws Exception {
        socket.sendText("{\"type\":\"alert\",\"streamId\":\"" + registered.get() + "\",", false).join();
        socket.sendText("\"severity\":\"high\",\"message\":\"" + message, false).join();
        socket.sendText("\"}", true).join();
    }

    /** MessagePack needs no library for one map of four fields: fixmap, fixstr, str8, bin32 and uint64. */
    private static byte[] msgpackFrame(String streamId, byte[] jpeg) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream(jpeg.length + 256);
        out.write(0x84);
        writeString(out, "type");
        writeString(out, "video-frame");
        writeString(out, "streamId");
        writeString(out, streamId);
        writeString(out, "timestamp");
        out.write(0xcf);
        out.write(ByteBuffer.allocate(8).putLong(System.currentTimeMillis()).array());
        writeString(out, "data");
        out.write(0xc6);
        out.write(ByteBuffer.allocate(4).putInt(jpeg.length).array());
        out.write(jpeg);
        return out.toByteArray();
    }

    private static void writeString(ByteArrayOutputStream out, String text) throws Exception {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length < 32) {
            out.write(0xa0 | bytes.length);
        } else {
            out.write(0xd9);
            out.write(bytes.length);
        }
        out.write(bytes);
    }

    @Override
    public void onOpen(WebSocket socket) {
        report("{\"event\":\"open\"}");
        socket.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
        text.append(part);
        parts += 1;
        if (last) {
            received(text.toString());
            text.setLength(0);
            parts = 0;
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
        report("{\"event\":\"binary\",\"bytes\":" + part.remaining() + "}");
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        report("{\"event\":\"close\",\"code\":" + code + ",\"reason\":\"" + reason + "\"}");
        closed.countDown();
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        error.printStackTrace();
        report("{\"event\":\"close\",\"code\":1006,\"reason\":\"\"}");
        closed.countDown();
    }

    private void received(String message) {
        Matcher type = TYPE.matcher(message);
        String kind = type.find() ? type.group(1) : "";
        report("{\"event\":\"message\",\"binary\":false,\"parts\":" + parts + ",\"message\":"
            + (kind.equals("video-frame") ? withHashOfPicture(message) : message) + "}");
        if (!isEncoder || !kind.equals("success")) return;
        Matcher id = STREAM_ID.matcher(message);
        if (!id.find()) return;
        report("{\"event\":\"registered\",\"streamId\":\"" + id.group(1) + "\"}");
        registered.complete(id.group(1));
    }

    /** The message with `sha256` of its picture in the place of `data`. */
    private static String withHashOfPicture(String message) {
        int start = message.indexOf(DATA_START) + DATA_START.length();
        int end = message.indexOf('"', start);
        byte[] jpeg = Base64.getDecoder().decode(message.substring(start, end));
        try {
            String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(jpeg));
            return message.substring(0, start - DATA_START.length()) + "\"sha256\":\"" + hash + message.substring(end);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static void report(String event) {
        OUT.println(event);
    }
}
