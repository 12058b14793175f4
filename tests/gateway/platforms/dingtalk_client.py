"""DingTalk's own SDK as a program: follows the stream of the server at the first argument, and prints each text."""

import asyncio
import json
import logging
import sys

from dingtalk_stream import AckMessage, ChatbotHandler, Credential, DingTalkStreamClient
from dingtalk_stream.chatbot import ChatbotMessage


class Printing(ChatbotHandler):
    async def process(self, callback):
        print(json.dumps(ChatbotMessage.from_dict(callback.data).text.content), flush=True)
        return AckMessage.STATUS_OK, "OK"


if __name__ == "__main__":
    url, topic, key, secret = sys.argv[1:]
    DingTalkStreamClient.OPEN_CONNECTION_API = f"{url}/v1.0/gateway/connections/open"
    client = DingTalkStreamClient(Credential(key, secret), logging.getLogger("dingtalk"))
    client.register_callback_handler(topic, Printing())
    asyncio.run(client.start())
