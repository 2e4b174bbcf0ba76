"""The token works once; the cookie is told from all others."""

from byhand.play.keys import Keys


def secret(keys: Keys) -> tuple[str, str]:
    name, _, value = keys.set_cookie.decode().split(";")[0].partition("=")
    return name, value


def test_the_token_works_once_and_only_whole() -> None:
    keys = Keys(8765)
    query = keys.url.partition("?")[2].encode()
    assert keys.url == f"http://127.0.0.1:8765/?{query.decode()}"
    assert len(query) >= len("token=") + 43  # 256 bits
    wrong = [b"", b"token=", query[:-1], query + b"=", query + b"&a=1", b"a=1&" + query, query.upper(), b"token=\xff"]
    assert not any(map(keys.exchange, wrong))
    assert keys.exchange(query)
    assert not keys.exchange(query)
    assert not keys.exchange(b"token=")
    assert not keys.exchange(b"token=None")


def test_the_form_of_a_token_is_seen_without_its_worth() -> None:
    assert Keys.is_token(b"token=x")
    assert not any(map(Keys.is_token, [b"", b"Token=x", b"a=1&token=x", b"token"]))


def test_the_cookie_is_found_among_others_and_nothing_else_is() -> None:
    keys = Keys(8765)
    name, value = secret(keys)
    assert name == "byhand-8765"
    good = f"{name}={value}"
    for cookies in (
        [good],
        [f"a=1; {good}"],
        [f"{good}; a=1"],
        [f"{name}=other; {good}"],
        ["a=1", good],
        [f" {good} "],
    ):
        assert keys.held([cookie.encode() for cookie in cookies]), cookies
    bad = [[], [""], [value], [name], [f"{name}="], [f"byhand-8766={value}"], [f"{good}x"], [good[:-1]], [f"x{good}"]]
    bad += [[good.upper()], [f"{name}= {value}"], [f'{name}="{value}"'], [f"a={good}"], [good.replace("=", ":")]]
    for cookies in bad:
        assert not keys.held([cookie.encode() for cookie in cookies]), cookies
    assert not keys.held([b"\xff\x00;" * 100])


def test_the_cookie_is_strict_and_hidden_from_scripts() -> None:
    attributes = Keys(1).set_cookie.decode().split("; ")[1:]
    assert attributes == ["HttpOnly", "SameSite=Strict", "Path=/"]


def test_no_two_secrets_are_alike() -> None:
    some = [Keys(1) for _ in range(20)]
    assert len({keys.url for keys in some} | {secret(keys)[1] for keys in some}) == 40
