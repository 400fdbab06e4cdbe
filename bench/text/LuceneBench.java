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
    private static final int ROUNDS = 5;

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
        for (int round = 0; round < WARM_UP + ROUNDS; ++round)
            for (String query : queries) {
                long begin = System.nanoTime();
                ScoreDoc[] found = LuceneText.ask(searcher, query, occur, TOP);
                if (round >= WARM_UP) times.add((System.nanoTime() - begin) / 1e3);
                if (round > 0) continue;
                for (ScoreDoc hit : found) hits.print(hit.doc + " ");
                hits.println();
            }
        double[] sorted = times.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        System.out.printf("%s mean %.1f us p99 %.1f us of %d%n", name, Arrays.stream(sorted).average().orElse(0),
            sorted[sorted.length * 99 / 100], sorted.length);
    }
}
