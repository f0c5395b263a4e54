import { request as askPlain } from 'node:http'
import { request as askTls } from 'node:https'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { addConfigOptions, readFlags } from '../config/sources/flags.ts'
import { formatAddress } from '../config/values/address.ts'
import { HubError } from '../errors.ts'
import { examples } from './examples.ts'
import { writeOut } from './output.ts'

/** How long a hub has to answer: supervisors give a check some five seconds, and the reason is to be told within. */
const patienceMs = 4000

/** `talaria health`: asks the hub that has the same configuration, on this machine. For containers, which have no other program to do so. */
export function healthCommand(): Command {
  const command = new Command('health').description(
    'Ask the running hub: exit code 0 when it is ready, else 1 and why.',
  )
  addConfigOptions(command)
    .option('--alive', 'ask whether it answers, ready or not')
    .addHelpText('after', examples('talaria health --addr 127.0.0.1:3000'))
  return command.action(async () => {
    const { config } = await loadConfig({ flags: readFlags(command), needed: ['addr', 'cert_file', 'key_file'] })
    const { isGood, sentence } = await ask(config, command.opts().alive === true ? '/healthz' : '/readyz')
    await writeOut(isGood ? process.stdout : process.stderr, [sentence])
    if (!isGood) process.exitCode = 1
  })
}

/** @throws HubError `transport_unavailable`: nobody answers */
async function ask({ listen, tls }: Config, path: string): Promise<{ isGood: boolean; sentence: string }> {
  const { port } = listen
  // To listen on every interface is to listen on this one as well.
  const host = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' }[listen.host] ?? listen.host
  if (port === 0)
    throw new HubError('configuration_invalid', 'addr has port 0: only the log of the hub tells its port.')
  // Certificates are made out to the names that clients use, and nothing is told to whom is asked.
  const options = { host, port, path, agent: false, rejectUnauthorized: false, timeout: patienceMs }
  try {
    const asking = (tls === null ? askPlain : askTls)(options).end()
    const { promise, resolve, reject } = Promise.withResolvers<{ isGood: boolean; sentence: string }>()
    asking.on('error', reject).on('timeout', () => asking.destroy(new Error('no answer in time')))
    asking.on('response', answer => {
      text(answer).then(sentence => resolve({ isGood: answer.statusCode === 200, sentence }), reject)
    })
    return await promise
  } catch (cause) {
    const { message } = cause as Error
    throw new HubError('transport_unavailable', `No hub answers at ${formatAddress({ host, port })}: ${message}.`, {
      cause,
    })
  }
}
