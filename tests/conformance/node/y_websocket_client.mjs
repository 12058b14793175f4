// A client of /sync: y-websocket as published, one provider and one socket a document. Usage: node ... ws://HOST:PORT

import { WebsocketProvider } from 'y-websocket'
import { CountedSocket, run, say } from './commands.mjs'

const url = `${process.argv[2]}/sync`
const providers = []

run({
  open (name, doc, token) {
    const provider = new WebsocketProvider(url, name, doc, {
      params: { token },
      WebSocketPolyfill: CountedSocket,
      disableBc: true // else two clients in one process would meet behind the service's back
    })
    provider.on('sync', (synced) => say({ event: 'synced', document: name, synced }))
    provider.on('connection-close', (event) => say({ event: 'close', document: name, code: event?.code ?? null }))
    providers.push(provider)
    return provider
  },
  connect: () => providers.forEach((provider) => provider.connect()),
  disconnect: () => providers.forEach((provider) => provider.disconnect())
})
