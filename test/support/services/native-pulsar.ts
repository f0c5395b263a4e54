/** Why tests of the native client are skipped; `false`: its package is installed. */
export const noNativeClient: string | false = await lack()

async function lack(): Promise<string | false> {
  try {
    await import('pulsar-client')
    return false
  } catch {
    // Its binary is not in any registry: where it is to be tried it is installed by hand.
    return 'The package pulsar-client is not installed: npm install --no-save pulsar-client.'
  }
}
