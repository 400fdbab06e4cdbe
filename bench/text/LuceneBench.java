// The peer of bench/text.sh: the same documents and queries in Lucene 8 (block-max WAND), in memory mapped files.
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.search.TopScoreDocCollector;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.MMapDirectory;

public final class LuceneBench {
    private static final int TOP = 10;
    private static final int WARM_UP = 10;
    private static final int ROUNDS = 10;

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        List<String> documents = Files.readAllLines(folder.resolve("documents.txt"));
        MMapDirectory directory = new MMapDirectory(folder.resolve("lucene"));
        IndexWriterConfig config = new IndexWriterConfig(new WhitespaceAnalyzer());
        config.setOpenMode(IndexWriterConfig.OpenMode.CREATE);
        config.setRAMBufferSizeMB(512);
        long begin = System.nanoTime();
        try (IndexWriter writer = new IndexWriter(directory, config)) {
            for (String text : documents) {
                Document document = new Document();
                document.add(new TextField("text", text, Field.Store.NO));
                writer.addDocument(document);
            }
            writer.forceMerge(1);
        }
        System.out.printf("indexing %.0f documents/s, committed and merged at the end%n",
            documents.size() / ((System.nanoTime() - begin) / 1e9));
        try (DirectoryReader reader = DirectoryReader.open(directory);
             PrintWriter hits = new PrintWriter(folder.resolve("lucene_hits.txt").toFile())) {
            IndexSearcher searcher = new IndexSearcher(reader);
            searcher.setQueryCache(null);
            searcher.setSimilarity(new BM25Similarity(1.2f, 0.75f));
            List<String> queries = Files.readAllLines(folder.resolve("queries.txt"));
            askAll(searcher, queries, BooleanClause.Occur.SHOULD, "union", hits);
            askAll(searcher, queries, BooleanClause.Occur.MUST, "intersection", hits);
        }
    }

    private static ScoreDoc[] ask(IndexSearcher searcher, String text, BooleanClause.Occur occur) throws Exception {
        BooleanQuery.Builder query = new BooleanQuery.Builder();
        for (String word : text.split(" ")) query.add(new TermQuery(new Term("text", word)), occur);
        // Exact counts are not asked for: as soon as ten are known, what cannot enter is skipped.
        TopScoreDocCollector collector = TopScoreDocCollector.create(TOP, null, TOP);
        searcher.search(query.build(), collector);
        return collector.topDocs().scoreDocs;
    }

    private static void askAll(IndexSearcher searcher, List<String> queries, BooleanClause.Occur occur,
                               String name, PrintWriter hits) throws Exception {
        List<Double> times = new ArrayList<>();
        double[] least = new double[queries.size()];
        Arrays.fill(least, Double.MAX_VALUE);
        for (int round = 0; round < WARM_UP + ROUNDS; ++round)
            for (int i = 0; i < queries.size(); ++i) {
                long begin = System.nanoTime();
                ScoreDoc[] found = ask(searcher, queries.get(i), occur);
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
