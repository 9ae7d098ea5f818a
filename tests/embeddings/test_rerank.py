"""Rankings of made-up models over a real server: their form, their order, and what is refused."""

import pytest

DOCUMENTS = ["The cat sat on the mat.", "Paris is in France.", "def main():", "고양이", ""]


def rank(server, **fields):
    reply = server.post("/v1/rerank", {"query": "Where is the cat?", "documents": DOCUMENTS,
                                       **fields})
    assert reply.status == 200, reply.body
    return reply.json


def test_results_are_ordered_by_probabilities(ranker):
    ranking = rank(ranker)
    scores = [result["relevance_score"] for result in ranking["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores) and len(set(scores)) == len(DOCUMENTS)
    assert sorted(result["index"] for result in ranking["results"]) == list(range(len(DOCUMENTS)))
    assert "document" not in ranking["results"][0]
    assert ranking["usage"]["total_tokens"] > 20


def test_a_documents_score_depends_on_query_and_document_alone(ranker):
    together = {result["index"]: result["relevance_score"] for result in rank(ranker)["results"]}
    for index, document in enumerate(DOCUMENTS):
        [alone] = rank(ranker, documents=[document])["results"]
        assert alone["relevance_score"] == together[index]
    other = rank(ranker, query="What is the capital?")["results"]
    assert {result["index"]: result["relevance_score"] for result in other} != together


def test_the_best_and_their_texts_may_be_asked_for(ranker):
    best = rank(ranker)["results"][:2]
    ranking = rank(ranker, top_n=2, return_documents=True, documents=[
        {"text": document} if i % 2 else document for i, document in enumerate(DOCUMENTS)])
    assert [(result["index"], result["relevance_score"]) for result in ranking["results"]] == [
        (result["index"], result["relevance_score"]) for result in best]
    assert all(result["document"]["text"] == DOCUMENTS[result["index"]]
               for result in ranking["results"])


@pytest.mark.parametrize(("path", "fields", "param"), [
    ("/v1/rerank", {"query": "a", "documents": []}, "documents"),
    ("/v1/rerank", {"query": "", "documents": ["a"]}, "query"),
    ("/v1/rerank", {"query": "a", "documents": [{"title": "b"}]}, "documents[0]"),
    ("/v1/rerank", {"query": "a", "documents": ["b"], "top_n": 0}, "top_n"),
    ("/v1/rerank", {"query": "a", "documents": ["b"], "model": "other"}, "model"),
    ("/v1/rerank", {"query": "a", "documents": ["b", "word " * 9000]}, "documents[1]"),
    ("/v1/embeddings", {"input": "a"}, "model"),
])
def test_what_it_can_not_do_is_refused_by_name(ranker, path, fields, param):
    model = ranker.get("/v1/models").json["data"][0]["id"]
    reply = ranker.post(path, {"model": model, **fields})
    assert reply.status in (400, 404), reply.body
    assert reply.error["param"] == param
