import builtins

from crdt_sync.cli import wechat_customer
from gateway.channels.flat import fields
from gateway.channels.wxbizmsgcrypt import aes_key, decrypt, signed


def opened(callback: wechat_customer.Callback) -> dict[str, str]:
    """What the callback says, by our own decryption: encrypted by somebody else, it proves ours."""
    sealed = fields(callback.body.encode())["Encrypt"]
    query = callback.query
    assert signed(query["msg_signature"], wechat_customer.TOKEN, query["timestamp"], query["nonce"], sealed)
    content = decrypt((aes_key(wechat_customer.AES_KEY),), sealed, wechat_customer.APP_ID)
    return dict(fields(content))


def test_an_independent_library_encrypts_what_the_customer_says():
    made = wechat_customer.callback(openid="demo-1", text="你好", message_id=7, now_s=1_700_000_000)

    said = opened(made)

    assert ("wechatpy", "demo-1", "你好", "7") == (
        made.encrypted_by,
        said["FromUserName"],
        said["Content"],
        said["MsgId"],
    )


def test_without_that_library_the_published_sample_stands_in(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("wechatpy"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    made = wechat_customer.callback(openid="demo-1", text="你好", message_id=7, now_s=1_700_000_000)

    assert "the sample of Tencent's demo" == made.encrypted_by
    assert ("abcdteT", "6054768590064713728") == (opened(made)["Content"], opened(made)["MsgId"])
