"""The official Python client against the server at argv[1]: prints what it got as one line of JSON."""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="key", max_retries=0)
user = [{"role": "user", "content": "Why is the sea salty?"}]
endless = {"1": -100, "6": -100, "106": -100}
asked = dict(model="any", messages=user, seed=3, max_tokens=8, logit_bias=endless)
got = {}

answer = client.chat.completions.create(**asked)
got["text"] = answer.choices[0].message.content
got["reason"] = answer.choices[0].finish_reason
got["usage"] = [answer.usage.prompt_tokens, answer.usage.completion_tokens,
                answer.usage.prompt_tokens_details.cached_tokens >= 0]

streamed = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
got["streamed"] = "".join(c.choices[0].delta.content or "" for c in streamed if c.choices)
got["streamed_usage"] = [streamed[-1].usage.prompt_tokens, streamed[-1].usage.completion_tokens, True]

with client.chat.completions.stream(model="any", messages=user, extra_body={"choices": ["yes"]}) as stream:
    stream.until_done()
    got["helper"] = stream.get_final_completion().choices[0].message.content

probable = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
content = probable.choices[0].logprobs.content
got["logprobs"] = [bytes(b for t in content for b in t.bytes).decode("utf-8", "replace"),
                   [len(t.top_logprobs) for t in content]]

tools = [{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}}}]
called = client.chat.completions.create(model="any", messages=user, tools=tools, tool_choice="required",
                                        parallel_tool_calls=False)
call = called.choices[0].message.tool_calls[0]
got["call"] = [called.choices[0].finish_reason, call.function.name,
               json.loads(call.function.arguments)["city"] in ("Rome", "Oslo")]
again = client.chat.completions.create(model="any", max_tokens=4, messages=[
    *user, called.choices[0].message.model_dump(exclude_none=True),
    {"role": "tool", "tool_call_id": call.id, "content": "21"}])
got["again"] = again.choices[0].finish_reason in ("stop", "length")

schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
shaped = client.chat.completions.create(model="any", messages=user, response_format={
    "type": "json_schema", "json_schema": {"name": "shape", "strict": True, "schema": schema}})
got["shaped"] = list(json.loads(shaped.choices[0].message.content))

completed = client.completions.create(model="any", prompt=["The sea", "A ship"], max_tokens=1, echo=True,
                                      logprobs=1, temperature=0)
got["echo"] = [[c.index, c.text.startswith(p), len(c.logprobs.tokens) == len(c.logprobs.token_logprobs),
                "".join(c.logprobs.tokens[:-1]) == p]
               for c, p in zip(completed.choices, ["The sea", "A ship"])]
got["embedding"] = [len(e.embedding) for e in client.embeddings.create(model="any", input=["The sea", "A ship"]).data]
got["models"] = [m.id for m in client.models.list()]


def refused(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.param]
    return None


got["refused"] = refused(lambda: client.chat.completions.create(model="any", messages=user, temperature=3))
got["unknown"] = refused(lambda: client.models.retrieve("other"))
got["key"] = refused(lambda: openai.OpenAI(base_url=sys.argv[1], api_key="wrong", max_retries=0).models.list())
print(json.dumps(got))
