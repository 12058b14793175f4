// A client of /sync: y-websocket as published, one provider and one socket a document. Usage: node ... ws://HOST:PORT
// The provider does not say what is acknowledged: that is the echo of what an update brought, and is counted here on its
// socket. Updates that follow each other may be echoed as one.

import * as decoding from 'lib0/decoding'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { run, say, WatchedSocket } from './commands.mjs'

const url = `${process.argv[2]}/sync`
const documents = new Map()

// What an update brings: for the inserted and for the deleted elements of each client, the first clock and the last.
function brought (message) {
  const decoder = decoding.createDecoder(new Uint8Array(message.slice(2)))
  const { structs, ds } = Y.decodeUpdate(decoding.readVarUint8Array(decoder))
  const spans = new Map()
  const add = (key, clock, length) => {
    const [first, last] = spans.get(key) ?? [clock, clock]
    spans.set(key, [Math.min(first, clock), Math.max(last, clock + length - 1)])
  }
  structs.forEach(({ id, length }) => add(`+${id.client}`, id.clock, length))
  ds.clients.forEach((ranges, client) => ranges.forEach(({ clock, len }) => add(`-${client}`, clock, len)))
  return spans
}

function holds (echoed, sent) {
  return [...sent].every(([key, [first, last]]) => {
    const [from, to] = echoed.get(key) ?? [1, 0]
    return from <= first && last <= to
  })
}

class Socket extends WatchedSocket {
  unanswered = []

  constructor (...options) {
    super(...options)
    const path = new URL(options[0]).pathname.slice('/sync/'.length)
    this.document = decodeURIComponent(path)
    this.on('message', (data) => this.answered(Buffer.from(data)))
  }

  static isUpdate (data) {
    return data[0] === 0 && data[1] === 2
  }

  send (data, ...more) {
    if (!super.send(data, ...more)) return false
    const isStep2 = data[0] === 0 && data[1] === 1
    if (isStep2) this.unanswered = [] // it holds them
    if (Socket.isUpdate(data) || (isStep2 && data[3] !== 0)) { // a Step2 without structs brings nothing new
      this.unanswered.push(brought(data))
    }
    this.tell()
    return true
  }

  answered (data) {
    if (!Socket.isUpdate(data)) return
    const echoed = brought(data)
    const unanswered = this.unanswered.filter((sent) => !holds(echoed, sent))
    if (unanswered.length === this.unanswered.length) return
    this.unanswered = unanswered
    this.tell()
  }

  tell () {
    say({ event: 'unsynced', document: this.document, number: this.unanswered.length })
  }
}

run({
  open (name, doc, token) {
    const provider = new WebsocketProvider(url, name, doc, {
      params: { token },
      WebSocketPolyfill: Socket,
      disableBc: true // else two clients in one process would meet behind the service's back
    })
    provider.on('sync', (synced) => say({ event: 'synced', document: name, synced }))
    provider.on('connection-close', (event) =>
      say({ event: 'close', document: name, code: event?.code ?? null, reason: event?.reason ?? '' }))
    provider.on('closed', ({ reason }) => say({ event: 'denied', document: name, reason }))
    documents.set(name, provider)
    return provider
  },
  connect: () => documents.forEach((provider) => provider.connect()),
  disconnect: () => documents.forEach((provider) => provider.disconnect()),
  token: ({ token }) => documents.forEach((provider) => { provider.params = { token } })
})
