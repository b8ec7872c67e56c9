%% Erlang's program of the benchmarks: processes, and OTP's behaviours where OTP has one.
%%
%%     erl +S 1:1 +P 4000000 -noshell -pa DIR -run bench main ping_pong n=1000000
-module(bench).
-export([main/1]).

main([Row | Words]) ->
    try
        row(Row, maps:from_list([list_to_tuple(string:split(W, "=")) || W <- Words])),
        halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~s: ~p ~p ~p~n", [Row, Class, Reason, Stack]),
            halt(1)
    end.

number(Name, Job, Otherwise) ->
    case Job of
        #{Name := Value} -> list_to_integer(Value);
        _ -> Otherwise
    end.

%% --- measuring ---

status_bytes(Name) ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kb]} = re:run(Status, Name ++ ":\\s+([0-9]+)", [{capture, all_but_first, list}]),
    list_to_integer(Kb) * 1024.

cpu_ns() ->
    {ok, Stat} = file:read_file("/proc/self/stat"),
    [_, Rest] = binary:split(Stat, <<") ">>),
    Fields = binary:split(Rest, <<" ">>, [global]),
    10000000 * (binary_to_integer(lists:nth(12, Fields)) + binary_to_integer(lists:nth(13, Fields))).

%% A tenth first, then the whole, timed: {nanoseconds, nanoseconds of the processor}.
warmed(N, Run) ->
    Run(N div 10),
    timed(fun() -> Run(N) end).

timed(Run) ->
    Cpu = cpu_ns(),
    Begin = erlang:monotonic_time(nanosecond),
    Run(),
    End = erlang:monotonic_time(nanosecond),
    {End - Begin, cpu_ns() - Cpu}.

print_time(Bench, {Wall, Cpu}, N) ->
    io:format("{\"bench\":\"~s\",\"value\":~.3f,\"unit\":\"ns\",\"cpu\":~.3f}~n", [Bench, Wall / N, Cpu / N]).

print_throughput(Bench, {Wall, Cpu}, N) ->
    io:format("{\"bench\":\"~s\",\"value\":~.5f,\"unit\":\"M/s\",\"cpu\":~.3f,\"peak_mb\":~.1f}~n",
              [Bench, N / Wall * 1.0e3, Cpu / N, status_bytes("VmHWM") / 1.0e6]).

print_result(Bench, Value, Unit) ->
    io:format("{\"bench\":\"~s\",\"value\":~.3f,\"unit\":\"~s\"}~n", [Bench, float(Value), Unit]).

times(0, _) -> ok;
times(N, F) -> F(), times(N - 1, F).

%% --- the rows ---

row("spawn_exit", Job) ->
    N = number("n", Job, 1000000),
    process_flag(trap_exit, true),
    T = warmed(N, fun(K) -> spawn_exit(K) end),
    print_time("spawn_exit", T, N);

row("spawn_idle", Job) ->
    N = number("n", Job, 1000000),
    Start = case maps:get("form", Job, "gen_server") of
        "gen_server" -> fun(K) -> supervised(K, run) end;
        "hibernate" -> fun(K) -> supervised(K, hibernate) end;
        "process" -> fun waiting/1
    end,
    Start(1000),
    Before = status_bytes("VmRSS"),
    T = timed(fun() -> Start(N) end),
    print_time("spawn_idle", T, N),
    print_result("idle_bytes", (status_bytes("VmRSS") - Before) / N, "B");

row("ping_pong", Job) ->
    N = number("n", Job, 1000000),
    Ponger = spawn_link(fun ponger/0),
    T = warmed(N, fun(K) ->
        Self = self(),
        spawn_link(fun() -> pinger(Ponger, K), Self ! done end),
        receive done -> ok end
    end),
    print_time("ping_pong", T, N);

row("ring", Job) ->
    N = number("n", Job, 1000000),
    Tokens = number("tokens", Job, 1),
    Size = number("size", Job, 503),
    Self = self(),
    Stations = [spawn_link(fun() -> receive {next, Next} -> station(Next, Self) end end)
                || _ <- lists:seq(1, Size)],
    lists:foreach(fun({S, Next}) -> S ! {next, Next} end,
                  lists:zip(Stations, tl(Stations) ++ [hd(Stations)])),
    Where = list_to_tuple(Stations),
    T = warmed(N, fun(K) ->
        [element(1 + I * Size div Tokens, Where) ! {token, K div Tokens} || I <- lists:seq(0, Tokens - 1)],
        times(Tokens, fun() -> receive finished -> ok end end)
    end),
    print_time(case Tokens of 1 -> "ring_1"; _ -> "ring_100" end, T, N);

row("many_to_one", Job) ->
    Senders = number("senders", Job, 20),
    Each = number("n", Job, 200000),
    T = warmed(Each, fun(K) ->
        Self = self(),
        %% The manual recommends it for whoever may get very many messages.
        To = spawn_opt(fun() -> take(K * Senders, 0), Self ! all_here end, [link, {message_queue_data, off_heap}]),
        times(Senders, fun() -> spawn_link(fun() -> give(K, [To]) end) end),
        receive all_here -> ok end
    end),
    print_throughput("many_to_one", T, Senders * Each);

row("one_to_many", Job) ->
    Receivers = number("receivers", Job, 60),
    Each = number("n", Job, 200000),
    T = warmed(Each, fun(K) ->
        Self = self(),
        To = [spawn_link(fun() -> take(K, 0), Self ! all_here end) || _ <- lists:seq(1, Receivers)],
        spawn_link(fun() -> give(K, To) end),
        times(Receivers, fun() -> receive all_here -> ok end end)
    end),
    print_throughput("one_to_many", T, Receivers * Each);

row("all_to_all", Job) ->
    Size = number("size", Job, 120),
    Each = number("n", Job, 10000),
    Members = list_to_tuple([spawn_link(fun member/0) || _ <- lists:seq(1, Size)]),
    T = warmed(Each, fun(K) ->
        [element(I, Members) ! {play, Members, I, K, self()} || I <- lists:seq(1, Size)],
        times(Size, fun() -> receive played -> ok end end)
    end),
    print_time("all_to_all", T, Size * Each);

row("skynet", Job) ->
    N = number("n", Job, 1000000),
    {Wall, _} = warmed(N, fun(K) ->
        Self = self(),
        spawn_link(fun() -> branch(Self, 0, K) end),
        Expected = K * (K - 1) div 2,
        receive Expected -> ok end
    end),
    print_result("skynet", Wall / 1.0e6, "ms");

row("call", Job) ->
    N = number("n", Job, 1000000),
    {ok, Server} = gen_server:start_link(bench_server, run, []),
    T = warmed(N, fun(K) -> times(K, fun() -> gen_server:call(Server, {add, 1}) end) end),
    print_time("call", T, N);

row("call_long_mailbox", Job) ->
    N = number("n", Job, 200000),
    {ok, Server} = gen_server:start_link(bench_server, run, []),
    Round = fun(K) ->
        {Wall, _} = timed(fun() -> times(K, fun() -> gen_server:call(Server, {add, 1}) end) end),
        Wall / K
    end,
    Round(N div 10),
    Empty = Round(N),
    [self() ! {unrelated, I} || I <- lists:seq(1, number("waiting", Job, 500000))],
    Round(N div 10),
    print_result("call_long_mailbox", Round(N) / Empty, "ratio");

row("timer_set_cancel", Job) ->
    N = number("n", Job, 1000000),
    T = warmed(N, fun(K) ->
        Timers = [erlang:start_timer(60000 + I div 1000, self(), tick) || I <- lists:seq(1, K)],
        lists:foreach(fun erlang:cancel_timer/1, Timers)
    end),
    print_time("timer_set_cancel", T, N);

row("timer_lateness", Job) ->
    N = number("n", Job, 100000),
    Begin = erlang:monotonic_time(microsecond),
    Due = [Begin + 500000 + I * 2000000 div N || I <- lists:seq(0, N - 1)],
    %% Milliseconds is what Erlang's timers take; rounded up, so that none is early.
    [erlang:send_after((At + 999) div 1000, self(), {due, At}, [{abs, true}]) || At <- Due],
    Late = lists:sort(lateness(N, [])),
    print_result("timer_lateness_p50", lists:nth(N div 2 + 1, Late), "us"),
    print_result("timer_lateness_p99", lists:nth(N * 99 div 100, Late), "us");

row("fairness", Job) ->
    End = erlang:monotonic_time(nanosecond) + number("seconds", Job, 3) * 1000000000,
    case maps:get("spin", Job, "plain") of
        "none" -> ok;
        _ -> times(erlang:system_info(schedulers), fun() -> spawn_link(fun() -> spin(End) end) end)
    end,
    timer:sleep(10),
    Ponger = spawn_link(fun ponger/0),
    Self = self(),
    Asked = erlang:monotonic_time(nanosecond),
    spawn_link(fun() -> Self ! {trips, trips(Ponger, Asked, End, [])} end),
    Trips = receive {trips, L} -> list_to_tuple(lists:sort(L)) end,
    Size = tuple_size(Trips),
    print_result("fairness_p50", element(Size div 2 + 1, Trips) / 1000, "us"),
    print_result("fairness_p99", element(max(1, Size * 99 div 100), Trips) / 1000, "us"),
    print_result("fairness_max", element(Size, Trips) / 1000, "us");

row("idle", Job) ->
    supervised(number("n", Job, 100000), run),
    io:format("{\"ready\":true}~n"),
    io:get_line("");

row("echo", Job) ->
    echo:serve(number("port", Job, 0), list_to_atom(maps:get("active", Job, "once")), number("work", Job, 0)).

%% --- what the processes do ---

spawn_exit(0) -> ok;
spawn_exit(N) ->
    times(100, fun() -> spawn_link(fun() -> ok end) end),
    times(100, fun() -> receive {'EXIT', _, normal} -> ok end end),
    spawn_exit(N - 100).

supervised(N, How) ->
    {ok, Supervisor} = supervisor:start_link(bench_supervisor, How),
    times(N, fun() -> {ok, _} = supervisor:start_child(Supervisor, []) end).

waiting(N) ->
    Self = self(),
    times(N, fun() -> spawn(fun() -> Self ! here, receive wake_up -> ok end end) end),
    times(N, fun() -> receive here -> ok end end).

ponger() ->
    receive {ping, From} -> From ! pong, ponger() end.

pinger(_, 0) -> ok;
pinger(Ponger, N) ->
    Ponger ! {ping, self()},
    receive pong -> pinger(Ponger, N - 1) end.

station(Next, Tell) ->
    receive
        {token, 0} -> Tell ! finished;
        {token, Hops} -> Next ! {token, Hops - 1}
    end,
    station(Next, Tell).

take(0, Sum) -> Sum;
take(N, Sum) -> receive {item, I} -> take(N - 1, Sum + I) end.

give(0, _) -> ok;
give(N, To) -> [P ! {item, N} || P <- To], give(N - 1, To).

member() ->
    receive {play, Members, Own, Pings, Tell} ->
        member(Members, Own, serve(Members, Own, Own), Pings, Tell)
    end.
member(Members, Own, Next, Left, Tell) ->
    receive
        {ping, From} -> From ! pong, member(Members, Own, Next, Left, Tell);
        pong when Left > 1 -> member(Members, Own, serve(Members, Own, Next), Left - 1, Tell);
        pong -> Tell ! played, member(Members, Own, Next, 0, Tell);
        {play, _, _, Pings, _} -> member(Members, Own, serve(Members, Own, Own), Pings, Tell)
    end.

serve(Members, Own, Last) ->
    Next = case Last rem tuple_size(Members) + 1 of
        Own -> Own rem tuple_size(Members) + 1;
        Other -> Other
    end,
    element(Next, Members) ! {ping, self()},
    Next.

branch(Parent, First, 1) -> Parent ! First;
branch(Parent, First, Leaves) ->
    Self = self(),
    Share = Leaves div 10,
    [spawn(fun() -> branch(Self, First + I * Share, Share) end) || I <- lists:seq(0, 9)],
    Parent ! sum(10, 0).

sum(0, Total) -> Total;
sum(N, Total) -> receive Value -> sum(N - 1, Total + Value) end.

lateness(0, Late) -> Late;
lateness(N, Late) ->
    receive {due, At} -> lateness(N - 1, [erlang:monotonic_time(microsecond) - At | Late]) end.

spin(End) ->
    case erlang:monotonic_time(nanosecond) < End + 100000000 of
        true -> spin(End);
        false -> ok
    end.

trips(Ponger, Served, End, Seen) ->
    Ponger ! {ping, self()},
    receive pong -> ok end,
    Now = erlang:monotonic_time(nanosecond),
    case Now < End of
        true -> trips(Ponger, Now, End, [Now - Served | Seen]);
        false -> [Now - Served | Seen]
    end.
