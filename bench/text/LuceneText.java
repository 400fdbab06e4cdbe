// One field of texts in Lucene 8 (block-max WAND), in memory mapped files, in one segment.
import java.nio.file.Path;
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

final class LuceneText {
    private LuceneText() {}

    /** Documents are numbered from 0, as they stand in the list. */
    static void index(Path folder, List<String> documents) throws Exception {
        IndexWriterConfig config = new IndexWriterConfig(new WhitespaceAnalyzer());
        config.setOpenMode(IndexWriterConfig.OpenMode.CREATE);
        config.setRAMBufferSizeMB(512);
        try (IndexWriter writer = new IndexWriter(new MMapDirectory(folder), config)) {
            for (String text : documents) {
                Document document = new Document();
                document.add(new TextField("text", text, Field.Store.NO));
                writer.addDocument(document);
            }
            writer.forceMerge(1);
        }
    }

    /** For as long as the process lives. */
    static IndexSearcher open(Path folder) throws Exception {
        IndexSearcher searcher = new IndexSearcher(DirectoryReader.open(new MMapDirectory(folder)));
        searcher.setQueryCache(null);
        searcher.setSimilarity(new BM25Similarity(1.2f, 0.75f));
        return searcher;
    }

    /** The best `top`, best first. */
    static ScoreDoc[] ask(IndexSearcher searcher, String text, BooleanClause.Occur occur, int top) throws Exception {
        BooleanQuery.Builder query = new BooleanQuery.Builder();
        for (String word : text.split(" ")) query.add(new TermQuery(new Term("text", word)), occur);
        // Exact counts are not asked for: as soon as so many are known, what cannot enter is skipped.
        TopScoreDocCollector collector = TopScoreDocCollector.create(top, null, top);
        searcher.search(query.build(), collector);
        return collector.topDocs().scoreDocs;
    }
}
