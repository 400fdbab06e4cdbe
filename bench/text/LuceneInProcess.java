// Lucene 8 for a program of another language, which calls it through JNI (bench/hybrid/lucene.h).
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;

public final class LuceneInProcess {
    private static IndexSearcher searcher;

    /** Indexes documents.txt of the folder. */
    public static void open(String folder) throws Exception {
        Path index = Path.of(folder, "lucene");
        LuceneText.index(index, Files.readAllLines(Path.of(folder, "documents.txt")));
        searcher = LuceneText.open(index);
    }

    /** Numbers of the `top` documents that have any of the words, best first. */
    public static int[] best(String words, int top) throws Exception {
        ScoreDoc[] hits = LuceneText.ask(searcher, words, BooleanClause.Occur.SHOULD, top);
        int[] out = new int[hits.length];
        for (int i = 0; i < hits.length; ++i) out[i] = hits[i].doc;
        return out;
    }
}
