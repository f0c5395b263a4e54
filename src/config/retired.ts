const certificates =
  'certificates are not fetched by this hub: use cert_file and key_file, or a proxy in front that ends TLS.'
const caches = 'is not needed: the caches of this hub have bounds of their own. Take it out.'

/** Keys of other Mercure hubs that have another name here, or no use: what to do about each. */
export const retiredKeys: Readonly<Record<string, string>> = {
  // the standalone 0.x hub
  acme_hosts: certificates,
  acme_cert_dir: certificates,
  acme_http01_addr: certificates,
  metrics: 'is called metrics_enabled now; with metrics_addr: "" the metrics are on the hub\'s own address.',
  metrics_login: 'there is no login for metrics: keep metrics_addr on a private address.',
  metrics_password: 'there is no login for metrics: keep metrics_addr on a private address.',
  tcsz: caches,
  dispatch_subscriptions: 'is called subscriptions now.',
  subscriptions_include_ip: 'addresses of subscribers are not shown by this hub. Take it out.',
  update_buffer_size: 'is called max_queue_bytes now, and counts bytes.',
  update_buffer_full_timeout: 'a subscriber whose queue is full is ended at once, and resumes: see max_queue_bytes.',
  db_path: 'is a part of transport_url now: bolt://FILE.',
  history_size: 'is an option of transport_url now: bolt://FILE?size=N.',
  history_cleanup_frequency: 'is an option of transport_url now: bolt://FILE?cleanup_frequency=N.',
  // the directives of the Caddy module
  anonymous: 'is called allow_anonymous here.',
  cors_origins: 'is called cors_allowed_origins here.',
  publish_origins: 'is called publish_allowed_origins here.',
  heartbeat: 'is called heartbeat_interval here.',
  publisher_jwt: 'is called publisher_jwt_key here, and its algorithm publisher_jwt_algorithm.',
  subscriber_jwt: 'is called subscriber_jwt_key here, and its algorithm subscriber_jwt_algorithm.',
  issuer: 'is called issuers here, and is a list.',
  transport: 'is called transport_url here, and is a URL: bolt://FILE, local://local, redis://host:6379/stream.',
  ui: 'is a part of demo here.',
  debugger: 'is a part of demo here.',
  playground: 'is called demo here.',
  protocol_version_compatibility: 'is called protocol here: auto, 1.0 or 0.x.',
  topic_matcher_cache: caches,
  topic_selector_cache: caches,
  subscriber_list_cache_size: caches,
}
