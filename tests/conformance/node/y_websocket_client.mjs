// A client of /sync: y-websocket as published, one provider and one socket a document. Usage: node ... ws://HOST:PORT
// The provider does not say what is acknowledged: that is the echo of an update, and is counted here on its socket.

import { WebsocketProvider } from 'y-websocket'
import { run, say, WatchedSocket } from './commands.mjs'

const url = `${process.argv[2]}/sync`
const documents = new Map()

class Socket extends WatchedSocket {
  unanswered = []

  constructor (...options) {
    super(...options)
    const path = new URL(options[0]).pathname.slice('/sync/'.length)
    this.document = decodeURIComponent(path)
    this.on('message', (data) => this.answered(Buffer.from(data).toString('hex')))
  }

  static isUpdate (data) {
    return data[0] === 0 && data[1] === 2
  }

  send (data, ...more) {
    if (!super.send(data, ...more)) return false
    const isStep2 = data[0] === 0 && data[1] === 1
    if (isStep2) this.unanswered = [] // it holds them
    if (Socket.isUpdate(data) || (isStep2 && data[3] !== 0)) { // a Step2 without structs brings nothing new
      this.unanswered.push(`0002${Buffer.from(data).toString('hex').slice(4)}`)
    }
    this.tell()
    return true
  }

  answered (hex) {
    const index = this.unanswered.indexOf(hex)
    if (index < 0) return
    this.unanswered.splice(index, 1)
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
