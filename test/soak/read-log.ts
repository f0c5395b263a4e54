import { openArchive } from '../../transports/index.ts'
import { LogOrder } from './log-order.ts'
import { readSerial } from './selection.ts'

const quiet = { info() {}, warn() {}, error() {} }

/** The order of the updates of the soak in a log that no hub uses any more. */
export async function readLog(url: URL): Promise<LogOrder> {
  const archive = await openArchive(url, { writable: false, log: quiet })
  const order = new LogOrder()
  try {
    for await (const page of archive.read()) {
      for (const { update } of page) {
        const serial = readSerial(update.data)
        if (serial !== undefined) order.append(serial)
      }
    }
  } finally {
    await archive.close()
  }
  return order
}
