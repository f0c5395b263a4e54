const certificates =
  'certificates are not fetched by this hub: use cert_file and key_file, or a proxy in front that ends TLS.'
const caches = 'the caches of this hub have bounds of their own: take it out.'

/** Keys of the standalone 0.x hub, which were environment variables, too: what to do about each. */
export const retiredVariables: Readonly<Record<string, string>> = {
  acme_hosts: certificates,
  acme_cert_dir: certificates,
  acme_http01_addr: certificates,
  metrics: 'it is called metrics_enabled now; with metrics_addr: "" the metrics are on the hub\'s own address.',
  metrics_login: 'there is no login for metrics: keep metrics_addr on a private address.',
  metrics_password: 'there is no login for metrics: keep metrics_addr on a private address.',
  tcsz: caches,
  dispatch_subscriptions: 'it is called subscriptions now.',
  subscriptions_include_ip: 'addresses of subscribers are not shown by this hub: take it out.',
  update_buffer_size: 'it is called max_queue_bytes now, and counts bytes.',
  update_buffer_full_timeout: 'a subscriber whose queue is full is ended at once, and resumes: see max_queue_bytes.',
  db_path: 'it is a part of transport_url now: bolt://FILE.',
  history_size: 'it is an option of transport_url now: bolt://FILE?size=N.',
  history_cleanup_frequency: 'it is an option of transport_url now: bolt://FILE?cleanup_frequency=N.',
}

/** Keys of other Mercure hubs that have another name here, or no use; of the Caddy module the names of its directives. */
export const retiredKeys: Readonly<Record<string, string>> = {
  ...retiredVariables,
  anonymous: 'it is called allow_anonymous here.',
  cors_origins: 'it is called cors_allowed_origins here.',
  publish_origins: 'it is called publish_allowed_origins here.',
  heartbeat: 'it is called heartbeat_interval here.',
  publisher_jwt: 'it is called publisher_jwt_key here, and its algorithm publisher_jwt_algorithm.',
  subscriber_jwt: 'it is called subscriber_jwt_key here, and its algorithm subscriber_jwt_algorithm.',
  issuer: 'it is called issuers here, and is a list.',
  transport: 'it is called transport_url here, and is a URL: bolt://FILE, local://local, redis://host:6379/stream.',
  ui: 'it is called debugger here.',
  playground: 'it is called demo here.',
  protocol_version_compatibility: 'it is called protocol here: auto, 1.0 or 0.x.',
  topic_matcher_cache: caches,
  topic_selector_cache: caches,
  subscriber_list_cache_size: caches,
}
