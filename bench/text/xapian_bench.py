"""The peer of bench/text.sh: the same documents and queries in Xapian, a process of its own."""

import sys
import time

import xapian

TOP = 10
ROUNDS = 3
folder = sys.argv[1]
with open(folder + "/documents.txt", encoding="ascii") as file:
    documents = file.read().splitlines()
with open(folder + "/queries.txt", encoding="ascii") as file:
    queries = [line.split() for line in file.read().splitlines()]

begin = time.perf_counter()
database = xapian.WritableDatabase(folder + "/xapian", xapian.DB_CREATE_OR_OVERWRITE)
generator = xapian.TermGenerator()
for text in documents:
    document = xapian.Document()
    generator.set_document(document)
    generator.index_text(text)
    database.add_document(document)
database.commit()
seconds = time.perf_counter() - begin
print(f"indexing {len(documents) / seconds:.0f} documents/s, committed at the end")


def summary(times):
    """Mean and p99 of microseconds."""
    times.sort()
    return f"mean {sum(times) / len(times):.1f} us p99 {times[len(times) * 99 // 100]:.1f} us"


reader = xapian.Database(folder + "/xapian")
enquire = xapian.Enquire(reader)
enquire.set_weighting_scheme(xapian.BM25Weight(1.2, 0, 1, 0.75, 0))
for name, operator in (("union", xapian.Query.OP_OR), ("intersection", xapian.Query.OP_AND)):
    times, least = [], [float("inf")] * len(queries)
    for measured in range(ROUNDS + 1):
        for which, words in enumerate(queries):
            begin = time.perf_counter()
            enquire.set_query(xapian.Query(operator, words))
            hits = enquire.get_mset(0, TOP)
            [hit.docid for hit in hits]
            if measured:
                times.append((time.perf_counter() - begin) * 1e6)
                least[which] = min(least[which], times[-1])
    print(f"{name} {summary(times)} of {len(times)}; least {summary(least)}")
