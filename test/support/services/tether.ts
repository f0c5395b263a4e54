import { type ChildProcess, spawn } from 'node:child_process'

/** A process that is to end with this one, however this one ends: a second one waits for that, and kills it then. */
export function tether(child: ChildProcess): void {
  const script = 'cat > /dev/null; kill -9 "$1" 2> /dev/null'
  const watchdog = spawn('sh', ['-c', script, 'sh', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.on('error', () => {})
  watchdog.stdin.on('error', () => {})
  watchdog.unref()
  // Its number may belong to another process by then.
  child.once('exit', () => process.kill(-watchdog.pid!, 'SIGKILL'))
}
