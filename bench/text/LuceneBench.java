// The peer of bench/text.sh: the same documents and queries in Lucene 8.
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;

public final class LuceneBench {
    private static final int TOP = 10;
    private static final int WARM_UP = 10;
    private static final int ROUNDS = 10;

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        List<String> documents = Files.readAllLines(folder.resolve("documents.txt"));
        long begin = System.nanoTime();
        LuceneText.index(folder.resolve("lucene"), documents);
        System.out.printf("indexing %.0f documents/s, committed and merged at the end%n",
            documents.size() / ((System.nanoTime() - begin) / 1e9));
        try (PrintWriter hits = new PrintWriter(folder.resolve("lucene_hits.txt").toFile())) {
            IndexSearcher searcher = LuceneText.open(folder.resolve("lucene"));
            List<String> queries = Files.readAllLines(folder.resolve("queries.txt"));
            askAll(searcher, queries, BooleanClause.Occur.SHOULD, "union", hits);
            askAll(searcher, queries, BooleanClause.Occur.MUST, "intersection", hits);
        }
    }

    private static void askAll(IndexSearcher searcher, List<String> queries, BooleanClause.Occur occur,
                               String name, PrintWriter hits) throws Exception {
        List<Double> times = new ArrayList<>();
        double[] least = new double[queries.size()];
        Arrays.fill(least, Double.MAX_VALUE);
        for (int round = 0; round < WARM_UP + ROUNDS; ++round)
            for (int i = 0; i < queries.size(); ++i) {
                long begin = System.nanoTime();
                ScoreDoc[] found = LuceneText.ask(searcher, queries.get(i), occur, TOP);
                if (round >= WARM_UP) {
                    times.add((System.nanoTime() - begin) / 1e3);
                    least[i] = Math.min(least[i], times.get(times.size() - 1));
                }
                if (round > 0) continue;
                for (ScoreDoc hit : found) hits.print(hit.doc + " ");
                hits.println();
            }
        System.out.printf("%s %s of %d; least %s%n", name, summary(times.stream().mapToDouble(Double::doubleValue).toArray()),
            times.size(), summary(least));
    }

    private static String summary(double[] times) {
        Arrays.sort(times);
        return String.format("mean %.1f us p99 %.1f us", Arrays.stream(times).average().orElse(0), times[times.length * 99 / 100]);
    }
}
