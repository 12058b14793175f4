// Hocuspocus with its SQLite extension and a token check that lets everybody in, as its documentation sets them up.
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const server = new Server({
  address: '127.0.0.1',
  port: Number(process.env.PORT),
  quiet: true,
  extensions: [new SQLite({ database: `${process.env.DATA}/hocuspocus.db` })],
  async onAuthenticate() {
    return {}
  },
})
await server.listen()
