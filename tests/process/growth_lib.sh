# shellcheck shell=bash disable=SC2154  # sourced after lib.sh: work
# Items that take memory, for the tests of --memory-mib: a schema with a text and a vector, and lines of both.
cat >"$work/schema.yaml" <<'YAML'
items:
  fields: {title: text}
  embeddings:
    content: {dimensions: 512}
signals:
  view: {polarity: neutral, half_life: 1d}
YAML

# Words of their own, so that the index of texts grows too: 400 numbers an item, some 170 KiB of memory.
texts() { # FROM TO
    awk -v from="$1" -v to="$2" 'BEGIN {
        for (id = from; id <= to; ++id) {
            text = ""
            for (i = 0; i < 400; ++i) text = text " w" (id * 400 + i)
            printf "{\"entity_id\":%d,\"metadata\":{\"title\":\"every%s\"}}\n", id, text
        }
    }'
}
vectors() { # FROM TO
    awk -v from="$1" -v to="$2" 'BEGIN {
        for (id = from; id <= to; ++id) {
            text = id % 97 + 1
            for (i = 1; i < 512; ++i) text = text "," (id * i) % 89
            printf "{\"entity_id\":%d,\"values\":[%s]}\n", id, text
        }
    }'
}
